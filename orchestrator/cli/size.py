"""`amc size`: the load of a customer's servers against their capacity, and the size they should have."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import settings

# httpx, Ansible and pydantic are imported where a command needs them: `amc --help` has to be quick.
if TYPE_CHECKING:
    from orchestrator.sizing.catalogue import Spec
    from orchestrator.sizing.chart import Chart
    from orchestrator.sizing.load import Load
    from orchestrator.sizing.rules import Present, Recommendation

app = typer.Typer(help="The load of servers, and the size they should have.", no_args_is_help=True)

Customer = Annotated[str, typer.Option("--customer", help="the customer's folder in the inventories")]
Server = Annotated[str | None, typer.Option("--server", help="this server only; default: all of them")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]


@app.command()
def show(
    customer: Customer,
    server: Server = None,
    days: Annotated[int, typer.Option(min=1, max=400, help="the last days that are drawn")] = 90,
    svg: Annotated[Path | None, typer.Option("--svg", help="write SVG charts: FILE, FILE-2 …")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the load of each day against the capacity: CPUs, memory, disk."""
    from orchestrator.sizing import chart
    from orchestrator.sizing.recommend import seen

    found = seen(settings.read(), customer, server, datetime.now(UTC))
    drawn = {load.server: chart.charts(load, days) for _, load in found.servers}
    if svg:
        for file in chart.write_svg([each for charts in drawn.values() for each in charts], svg):
            typer.echo(f"written: {file}", err=as_json)
    if as_json:
        print(json.dumps([_show_document(present, load, drawn) for present, load in found.servers], indent=2))
        return
    for present, load in found.servers:
        spec = present.spec.name if present.spec else "no server_spec"
        print(f"{load.server}: {spec}")
        for each in drawn[load.server]:
            print(chart.terminal(each))
        if not drawn[load.server]:
            print("  Prometheus knows no load of this server: is it monitored?")


@app.command()
def recommend(
    customer: Customer,
    server: Server = None,
    sustained_seconds: Annotated[
        int,
        typer.Option(min=30, max=840, help="how long a saturation of now lasts before it counts"),
    ] = 300,
    as_json: AsJson = False,
) -> None:
    """Recommend a size for each server, with reasons; where data is missing, say what."""
    from orchestrator.sizing.margins import Margins
    from orchestrator.sizing.recommend import recommendations

    margins = Margins(acute_for=timedelta(seconds=sustained_seconds))
    found = recommendations(settings.read(), customer, datetime.now(UTC), server, margins)
    if as_json:
        print(json.dumps([_document(each) for each in found], indent=2, default=_plain))
    else:
        print("\n\n".join("\n".join(_lines(each)) for each in found))


@app.command()
def catalogue(as_json: AsJson = False) -> None:
    """Show every specification that a server can have, with its price."""
    from orchestrator.sizing.catalogue import read

    specs = read().values()
    if as_json:
        print(json.dumps([_spec_document(spec) for spec in specs], indent=2, default=_plain))
        return
    print(f"{'name':<14}{'provider':<10}{'CPUs':>6}{'lasting':>9}{'MiB':>8}{'USD/month':>11}  priced")
    for spec in specs:
        print(
            f"{spec.name:<14}{spec.provider:<10}{spec.cpus:>6g}{spec.sustained_cpus:>9g}{spec.memory_mib:>8}"
            f"{spec.usd_per_month:>11.2f}  {spec.priced_at}"
        )
    print("prices: on demand, Linux, eu-central-1, written down on that day: check before use")


def _lines(found: "Recommendation") -> Iterator[str]:
    current = found.current.name if found.current else "no server_spec"
    to = f" -> {found.recommended.name}" if found.recommended and found.recommended != found.current else ""
    yield f"{found.server}: {found.direction} {current}{to} (confidence: {found.confidence})"
    yield from (f"  - {reason}" for reason in found.reasons)
    yield from (f"  ? missing: {missing}" for missing in found.missing)


def _document(found: "Recommendation") -> dict[str, Any]:
    document = {each.name: getattr(found, each.name) for each in dataclasses.fields(found)}
    for name in ("current", "recommended"):
        document[name] = _spec_document(document[name]) if document[name] else None
    for name in ("need", "disk"):
        document[name] = dataclasses.asdict(document[name]) if document[name] else None
    return document


def _spec_document(spec: "Spec") -> dict[str, Any]:
    return spec.model_dump()


def _show_document(present: "Present", load: "Load", drawn: dict[str, list["Chart"]]) -> dict[str, Any]:
    return {
        "server": load.server,
        "customer": load.customer,
        "spec": present.spec.name if present.spec else None,
        "charts": [
            {"title": each.title, "days": [str(day) for day in each.days], "lines": each.lines}
            for each in drawn[load.server]
        ],
    }


def _plain(value: object) -> str:
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    raise TypeError(value)
