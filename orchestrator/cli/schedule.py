"""`amc schedule`: what the contract wants by itself, when, and why then. Reads only."""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import settings as settings_
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.contracts.model import Contract
    from orchestrator.runs.store import Run
    from orchestrator.schedule.occurrences import Occurrence

app = typer.Typer(help="The schedule: what runs by itself, when and why.", no_args_is_help=True)

YEARS = range(2000, 2200)
Customer = Annotated[str, typer.Option(help="the customer's folder in inventories/")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]


@app.command("list")
def list_(
    customer: Customer,
    days: Annotated[int, typer.Option(min=1, max=800, help="so many days from now on")] = 30,
    as_json: Json = False,
    as_ics: Annotated[
        bool, typer.Option("--ics", help="an iCalendar text (RFC 5545), for calendar programs")
    ] = False,
) -> None:
    """Show what is planned, in the contract's time zone, with what moved it."""
    from orchestrator.contracts.read import read_customer
    from orchestrator.schedule import ical
    from orchestrator.schedule.occurrences import occurrences, scheduled

    if as_json and as_ics:
        raise UsageError("--json and --ics are two documents, and stdout holds one", "leave one of them out")
    settings = settings_.read()
    contract = read_customer(settings.inventories, customer)
    now = datetime.now(UTC)
    until = now + timedelta(days=days)
    planned = [each for name in scheduled(contract) for each in occurrences(contract, name, now, until)]
    planned.sort(key=lambda each: (each.when, each.activity))
    if as_ics:
        sys.stdout.buffer.write(ical.calendar(contract, planned, now).encode())
    elif as_json:
        runs = _ordered(settings, planned)
        print(
            json.dumps([_document(contract, each) | _run(runs.get(each.uid)) for each in planned], indent=2)
        )
    else:
        _print(contract, planned, days, _ordered(settings, planned))


@app.command()
def explain(
    activity: Annotated[str, typer.Argument(help="backup, drill, patch, …: see docs/contract.md")],
    customer: Customer,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="the first one from then on; default: now. 2026-12-12T22:30"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why the next run of an activity is planned when it is, and not earlier."""
    from orchestrator.contracts.coverage import Excluded, decide
    from orchestrator.contracts.read import read_customer
    from orchestrator.errors import NotCovered
    from orchestrator.schedule import explanation

    contract = read_customer(settings_.read().inventories, customer)
    start = _moment(contract, at) if at else datetime.now(UTC)
    decision = decide(contract, activity, start)
    if isinstance(decision, Excluded) and decision.clause_id.startswith("E"):
        raise NotCovered(decision.reason)
    found, sentences = explanation.explain(contract, activity, start)
    if as_json:
        document = _document(contract, found) if found else None
        print(json.dumps({"occurrence": document, "sentences": sentences}, indent=2))
        return
    for sentence in sentences:
        print(sentence)


def _moment(contract: "Contract", text: str) -> datetime:
    """A time of the command line; without an offset it is on the contract's clock."""
    from orchestrator.schedule.clock import moment

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text!r} is no time", "write it as 2026-12-12 or 2026-12-12T22:30") from None
    if at.year not in YEARS:
        raise UsageError(f"--at {text!r} is out of reach", f"use a year from {YEARS[0]} to {YEARS[-1]}")
    return at.astimezone(UTC) if at.tzinfo else moment(at, contract.zone).at


def _ordered(settings: settings_.Settings, planned: "list[Occurrence]") -> "dict[str, Run]":
    """The runs that were ordered for them, by uid; none where there is no database (yet)."""
    from orchestrator.database.engine import connect, reading
    from orchestrator.errors import InvalidInput
    from orchestrator.runs import store

    try:
        engine = connect(settings.database_url)
    except InvalidInput:
        return {}
    with reading(engine) as connection:
        return store.of_keys(connection, [each.uid for each in planned])


def _run(run: "Run | None") -> dict[str, Any]:
    if run is None:
        return {"run": None}
    return {"run": {"id": run.id, "state": run.state, "planned": _iso(run.planned_at), "words": run.words}}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _print(contract: "Contract", planned: "list[Occurrence]", days: int, runs: "Mapping[str, Run]") -> None:
    from orchestrator.schedule.placement import minutes

    print(f"{contract.customer_name}, {contract.number}: {days} days, times in {contract.time_zone}")
    for each in planned:
        if each.planned:
            when = f"{each.planned.astimezone(contract.zone):%a %Y-%m-%d %H:%M %z}"
        else:
            when = "not planned"
        why = "; ".join(reason.why for reason in each.reasons)
        moved = f"instead of {each.nominal:%a %Y-%m-%d %H:%M}: {why}" if why else ""
        ordered = f"{runs[each.uid].id}: {runs[each.uid].state}" if each.uid in runs else ""
        said = "  ".join(filter(None, (moved, ordered)))
        print(f"  {when:26}  {each.activity:12}  {minutes(each.lasts):10}  {said}".rstrip())
    if not planned:
        print("  nothing is planned")


def _document(contract: "Contract", each: "Occurrence") -> dict[str, Any]:
    """`nominal` is on the contract's clock, `due` and `planned` (null: not at all) are in UTC."""
    from orchestrator.contracts.recurrence import ANY_TIME

    return {
        "uid": each.uid,
        "customer": each.customer,
        "activity": each.activity,
        "time_zone": contract.time_zone,
        "nominal": each.nominal.isoformat(),
        "due": each.due.isoformat(),
        "planned": each.planned.isoformat() if each.planned else None,
        "lasts_seconds": int(each.lasts.total_seconds()),
        "windows_only": each.activity not in ANY_TIME,
        "reasons": [{"why": reason.why, "words": reason.words} for reason in each.reasons],
    }
