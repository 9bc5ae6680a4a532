"""`amc run`: order a run, follow it, and see what became of it."""

import json
import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from orchestrator import settings as settings_
from orchestrator.cli.over import over
from orchestrator.errors import UsageError, Waiting

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from orchestrator.runs.store import Run

app = typer.Typer(help="Runs: maintenance work, ordered, done and accounted for.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]
Why = Annotated[str, typer.Option(help="the reason, for the statement")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="who decides; default: this user")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="the run's id, see `amc run list`")]


@app.command()
def start(
    *,
    activity: Annotated[str, typer.Argument(help="deploy, check, patch, …: see docs/contract.md")],
    customer: Annotated[str, typer.Option(help="the customer's folder in inventories/")],
    server: Annotated[list[str] | None, typer.Option(help="only this server; may be repeated")] = None,
    key: Annotated[str | None, typer.Option(help="order once: the same key again is the same run")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="follow it; exit code 0, 7 or 8 as it ends")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Ansible's check mode: changes nothing, free")
    ] = False,
    without_proven_backup: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="patch: go on without a backup that a drill has proven"),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="recover: to this moment, with its offset from UTC")
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="PART", help="recover: database, files or attachment alone")
    ] = None,
    attachment: Annotated[
        str | None, typer.Option(metavar="PATH", help="recover: this one of the file store")
    ] = None,
    put_back: Annotated[
        str | None, typer.Option(metavar="RUN", help="recover: put back what that recovery set aside")
    ] = None,
    moment: Annotated[
        str | None, typer.Option(metavar="WHICH", help="drill: restore the newest or a random moment")
    ] = None,
    spec: Annotated[
        str | None, typer.Option(metavar="NAME", help="resize: this specification, not the inventory's")
    ] = None,
    approve: Annotated[
        str | None, typer.Option("--approve", metavar="WHY", help="resize: agree with its plan at once")
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--now", help="outside the windows too: an emergency, needs --why")
    ] = False,
    why: Annotated[
        str | None, typer.Option(metavar="REASON", help="the emergency's, on the statement")
    ] = None,
    as_json: Json = False,
) -> None:
    """Order a run: covered by the contract? hours held? then a worker does it, when the windows allow."""
    from orchestrator.cli import planned
    from orchestrator.contracts.read import read_customer
    from orchestrator.database.engine import connect
    from orchestrator.runs import approval, placing, view, worker
    from orchestrator.runs.order import ENGINEER, Order

    if at_once != (why is not None):
        raise UsageError("--now and --why go together", "add --now --why REASON, or leave both out")
    settings = settings_.read()
    engine = connect(settings.database_url)
    servers = _servers(settings, customer, server or [])
    contract = read_customer(settings.inventories, customer)
    given = {
        "without_proven_backup": without_proven_backup,
        "to": to,
        "only": only,
        "attachment": attachment,
        "put_back": put_back,
        "moment": moment,
        "spec": spec,
    }
    asked = {name: value for name, value in given.items() if value is not None}
    key = key or f"engineer-{secrets.token_hex(8)}"
    order = Order(customer, activity, servers, ENGINEER, key, check, asked)
    now = datetime.now(UTC)
    if activity in placing.PLANNED:
        placed = planned.place(engine, settings, contract, order, now=now, urgent=why)
        if placed is None:
            _say("nothing was ordered" if check else "nothing is to be done")
            return
    else:
        placed = placing.place(engine, settings, contract, order, now=now, enqueue=worker.enqueue, urgent=why)
    run, is_new = placed
    _say(view.ordered(run, contract, now) if is_new else f"{run.id}: was ordered before under this key")
    if approve is not None and run.wants_decision:
        by = planned.who(None)
        run = approval.approve(engine, run.id, by=by, why=approve, now=now, enqueue=worker.enqueue)
    _go_on(settings, engine, run, wait, as_json)


@app.command()
def approve(
    run_id: RunId,
    by: By = None,
    why: Why = "",
    wait: Annotated[bool, typer.Option("--wait", help="follow it; exit code 0, 7 or 8 as it ends")] = False,
    as_json: Json = False,
) -> None:
    """Agree with the plan of a run that waits; it is queued, or waits for its time."""
    from orchestrator.cli import planned
    from orchestrator.database.engine import connect
    from orchestrator.runs import approval, worker

    settings = settings_.read()
    engine = connect(settings.database_url)
    now = datetime.now(UTC)
    run = approval.approve(engine, run_id, by=planned.who(by), why=why, now=now, enqueue=worker.enqueue)
    _go_on(settings, engine, run, wait, as_json)


@app.command()
def reject(run_id: RunId, why: Why, by: By = None, as_json: Json = False) -> None:
    """Decide against the plan of a run that waits; its hours go back."""
    from orchestrator.cli import planned
    from orchestrator.database.engine import connect
    from orchestrator.runs import approval

    settings = settings_.read()
    engine = connect(settings.database_url)
    run = approval.reject(engine, run_id, by=planned.who(by), why=why, now=datetime.now(UTC))
    _print_run(settings, run, as_json)


@app.command()
def cancel(run_id: RunId, why: Why, by: By = None, as_json: Json = False) -> None:
    """Stop a run: one that waits or is queued ends here, a running one is ended on its servers too."""
    from orchestrator.cli import planned
    from orchestrator.database.engine import connect
    from orchestrator.runs import cancelling, lock

    settings = settings_.read()
    engine = connect(settings.database_url)
    run = cancelling.cancel(engine, run_id, planned.who(by), why, datetime.now(UTC))
    if run.is_open and not run.hand:
        lock.start_worker(settings)
    _print_run(settings, run, as_json)


@app.command("list")
def list_(
    customer: Annotated[str | None, typer.Option(help="only this customer's")] = None,
    limit: Annotated[int, typer.Option(min=1, help="the newest so many")] = 50,
    as_json: Json = False,
) -> None:
    """Show runs, the newest first, as they truly stand."""
    from orchestrator.database.engine import connect, reading
    from orchestrator.ledger.hours import show as hours
    from orchestrator.runs import store, view

    settings = settings_.read()
    with reading(connect(settings.database_url)) as connection:
        runs = store.listing(connection, customer, limit)
    if as_json:
        print(json.dumps([view.document(settings, run) for run in runs], indent=2))
        return
    for run in runs:
        state, following = view.standing(settings, run)
        charged = "" if run.charged is None else f"charged {hours(run.charged)}"
        print(f"{run.id:44} {state:12} {_local(run, run.ordered_at)}  {charged:14} {following}".rstrip())
    if not runs:
        print("no runs yet")


@app.command()
def show(run_id: RunId, as_json: Json = False) -> None:
    """Show one run: its state, its hours, its attempts, what the servers report."""
    from orchestrator.database.engine import connect, reading
    from orchestrator.runs import store

    settings = settings_.read()
    with reading(connect(settings.database_url)) as connection:
        run = store.get(connection, run_id)
    _print_run(settings, run, as_json)


app.command()(over)


@app.command()
def log(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until the run has ended")] = False,
) -> None:
    """Print what Ansible printed, attempt by attempt."""
    from orchestrator.database.engine import connect, reading
    from orchestrator.runs import store

    settings = settings_.read()
    engine = connect(settings.database_url)
    evidence = store.evidence(settings, run_id)
    printed: dict[int, int] = {}
    while True:
        with reading(engine) as connection:
            is_open = store.get(connection, run_id).is_open
        for attempt in evidence.attempts():
            if attempt.number not in printed and attempt.number > 1:
                print(f"\n===== attempt {attempt.number} =====")
            text = attempt.log.read_text() if attempt.log.exists() else ""
            sys.stdout.write(text[printed.get(attempt.number, 0) :])
            sys.stdout.flush()
            printed[attempt.number] = len(text)
        if not (follow and is_open):
            return
        time.sleep(0.5)


def _go_on(settings: settings_.Settings, engine: "Engine", run: "Run", wait: bool, as_json: bool) -> None:
    """What follows an order or an approval: the run is followed, or left to a worker."""
    from orchestrator.runs import following, lock, worker

    if wait:
        try:
            run = following.to_its_time(engine, run, _say, worker.enqueue)
            if run.is_open:
                run = following.to_the_end(settings, engine, run.id, _say)
        except KeyboardInterrupt:
            _say(f"{run.id}: goes on without you; amc run show {run.id} tells how it ends")
            raise typer.Exit(130) from None
    elif run.is_open:
        lock.start_worker(settings)
    _print_run(settings, run, as_json)
    if run.waits:
        raise typer.Exit(Waiting.exit_code)
    if wait:
        raise typer.Exit(run.exit_code or 0)


def _servers(settings: settings_.Settings, customer: str, wanted: list[str]) -> tuple[str, ...]:
    """The customer's maintained servers, or those of them that were named."""
    from orchestrator.fleet.read import MAINTAINED, NOT_A_CUSTOMER, maintained

    if customer == NOT_A_CUSTOMER:
        raise UsageError(
            f"{customer} is no customer: its servers are reached by the customers' runs", "name one"
        )
    known = maintained(settings.inventories, customer)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise UsageError(f"{customer} has no server {', '.join(unknown)}", f"its servers: {', '.join(known)}")
    if not known:
        raise UsageError(f"{customer} has no server in the group {MAINTAINED}", "add one to its hosts.yml")
    return tuple(name for name in known if not wanted or name in wanted)


def _print_run(settings: settings_.Settings, run: "Run", as_json: bool) -> None:
    from orchestrator.ledger.hours import show as hours
    from orchestrator.runs import options, reports, view

    found = view.details(settings, run)
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"run       {run.id}")
    print(f"order     {run.activity} on {', '.join(run.servers)} for {run.customer}")
    for words in options.words(run.options):
        print(f"option    {words}")
    print(f"cause     {run.cause}, key {run.key}")
    for line in (*_planned(run, found["plan"]), *_standing(run, found)):
        print(line)
    for name, at in (("ordered", run.ordered_at), ("started", run.started_at), ("ended", run.ended_at)):
        if at:
            print(f"{name:9} {_local(run, at)}")
    for name in ("held", "raw", "rounded", "charged", "overage"):
        if (seconds := getattr(run, name)) is not None:
            print(f"{name:9} {hours(seconds)}")
    for attempt in found["attempts"]:
        print(f"attempt   {attempt['number']}: {attempt.get('status', attempt['fate'])}")
    for server, by_activity in found["reports"].items():
        for activity, report in by_activity.items():
            print(f"report    {server}: {reports.line(activity, report)}")
    print(f"evidence  {found['evidence']}")
    if found["altered"]:
        print(f"ALTERED   since the run ended: {', '.join(found['altered'])}")


def _planned(run: "Run", plan: dict[str, Any] | None) -> Iterator[str]:
    """What was planned, and who decided on it."""
    yield from (f"plan      {sentence}" for sentence in (plan or {}).get("sentences", []))
    if run.decision:
        at = _local(run, datetime.fromisoformat(run.decision["at"]))
        why = f": {run.decision['why']}" if run.decision["why"] else ""
        yield f"decision  by {run.decision['by']} on {at}{why}"


def _standing(run: "Run", found: dict[str, Any]) -> Iterator[str]:
    """Its state, its planned time, and what is unusual about them."""
    yield f"state     {found['state']}{f': {run.words}' if run.words and not run.waits else ''}"
    if found["next"]:
        yield f"          {found['next']}"
    if run.planned_at:
        why = f": {run.words}" if run.words and run.waits else ""
        yield f"planned   {_local(run, run.planned_at)}{why}"
    if run.urgent:
        yield f"emergency {run.urgent}"
    if run.stop:
        at = _local(run, datetime.fromisoformat(run.stop["at"]))
        yield f"stop      asked for by {run.stop['by']} on {at}: {run.stop['why']}"


def _local(run: "Run", at: datetime) -> str:
    """In the contract's time zone."""
    return f"{at.astimezone(ZoneInfo(run.contract['time_zone'])):%Y-%m-%d %H:%M %Z}"


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
