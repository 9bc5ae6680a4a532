"""The work: inventories, database, workers, what waits too long, and whether anybody would be told."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Engine, func, inspect, select, text

from orchestrator.contracts.read import PLACE, read_all
from orchestrator.database.engine import is_sqlite, reading
from orchestrator.doctor.finding import Clock, Finding, fault, note, of_error, ok
from orchestrator.errors import InvalidInput
from orchestrator.fleet.faults import faults
from orchestrator.fleet.read import customers
from orchestrator.notify import channels, watch
from orchestrator.notify.events import TOLD_WITHIN
from orchestrator.notify.tables import beats, deliveries
from orchestrator.runs import lock
from orchestrator.runs.states import State
from orchestrator.runs.tables import runs
from orchestrator.settings import Settings

SILENT = timedelta(seconds=120)
CLOCK_SECONDS = 5.0
TRIED_TOO_OFTEN = 4


def inventories(settings: Settings) -> Iterator[Finding]:
    """Every customer's contract and servers."""
    names = customers(settings.inventories)
    if not names:
        yield fault(
            "inventories", f"no customer in {settings.inventories}", "AMC_INVENTORIES names the folder"
        )
        return
    contracts, problems = read_all([settings.inventories / name / PLACE for name in names])
    problems += faults(settings.inventories)
    if problems:
        yield from of_error("inventories", InvalidInput(problems))
    else:
        yield ok("inventories", f"{len(contracts)} customers: {', '.join(names)}")


def database(_settings: Settings, engine: Engine, clock: Clock) -> Iterator[Finding]:
    """Its tables are there, and its clock is ours. That its schema is ours, `connect` has seen."""
    sqlite = is_sqlite(engine.url)
    with reading(engine) as connection:
        if not inspect(connection).has_table("workflow_status", schema=None if sqlite else "dbos"):
            yield fault("database", "the queue's tables are missing", "amc init")
            return
        theirs = None if sqlite else connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        now = clock()
    where = engine.url.render_as_string(hide_password=True)
    if theirs and abs((theirs - now).total_seconds()) > CLOCK_SECONDS:
        words = f"the clock of {where} is {(theirs - now).total_seconds():+.0f} s off ours"
        yield fault("database", words, "set both machines' clocks by NTP")
    else:
        yield ok("database", where)


def workers(settings: Settings, engine: Engine, clock: Clock) -> Iterator[Finding]:
    """One lives and makes its rounds; on SQLite the next order starts one."""
    now = clock()
    with reading(engine) as connection:
        last = connection.execute(select(func.max(beats.c.beat_at, type_=beats.c.beat_at.type))).scalar()
    seen = f"last seen {last:%Y-%m-%d %H:%M:%S} UTC" if last else "none was ever seen"
    living = _living(settings)
    if not living:
        words = f"none is at work, {seen}"
        if is_sqlite(engine.url):
            yield note("worker", words, "amc worker; nothing comes round by itself without one")
        else:
            yield fault("worker", words, "start one: amc worker, or systemctl start amc-worker@1")
    elif last is None or now - last > SILENT:
        words = f"{len(living)} at work, but none makes its rounds: {seen}"
        yield fault("worker", words, "look at what it says, then restart it: its runs go on")
    else:
        yield ok("worker", f"{len(living)} at work, {seen}")


def overdue(settings: Settings, engine: Engine, clock: Clock) -> Iterator[Finding]:
    """Nothing waits too long, and no run waits for a person."""
    now = clock()
    late = watch.overdue(settings, engine, now)
    for words in late[:5]:
        yield fault("overdue", words, "amc run show; is a worker at work, are its windows wide enough?")
    with reading(engine) as connection:
        unknown = list(
            connection.execute(
                select(runs.c.id).where(runs.c.state == State.UNKNOWN, runs.c.ended_at > now - TOLD_WITHIN)
            ).scalars()
        )
    if unknown:
        yield note(
            "overdue", f"nobody knows whether they ran: {', '.join(unknown[:5])}", "look at the servers"
        )
    if not late and not unknown:
        yield ok("overdue", "nothing waits longer than it should")


def notifications(settings: Settings, engine: Engine, clock: Clock) -> Iterator[Finding]:
    """Somebody is told, and the channels take what they are given."""
    now = clock()
    if settings.notify_file is None:
        yield note("notifications", "nobody is told of anything", "docs/notifications.md; AMC_NOTIFY_FILE")
    else:
        known = channels.read(settings.notify_file)
        names = ", ".join(channel.name for channel in known.channels) or "none"
        yield ok("notifications", f"channels: {names}; `amc notify test` tries them")
    with reading(engine) as connection:
        recent = select(deliveries.c.channel, deliveries.c.state, deliveries.c.words, func.count()).where(
            (deliveries.c.state == "given-up") & (deliveries.c.ended_at > now - TOLD_WITHIN)
            | (deliveries.c.state == "due") & (deliveries.c.attempts >= TRIED_TOO_OFTEN)
        )
        stuck = recent.group_by(deliveries.c.channel, deliveries.c.state, deliveries.c.words)
        for channel, state, words, number in connection.execute(stuck):
            yield fault(
                "notifications", f"{channel}: {number} {state}: {words}", "amc notify test; amc notify list"
            )


def silence(settings: Settings, _engine: Engine, _clock: Clock) -> Iterator[Finding]:
    """Somebody notices when no worker is left to tell."""
    if settings.ping_url:
        yield ok("silence", "a dead-man's switch is pinged")
    else:
        yield note(
            "silence", "nobody notices when the worker falls silent", "AMC_PING_URL, docs/notifications.md"
        )


def _living(settings: Settings) -> list[str]:
    if settings.database_url.startswith("sqlite"):
        holder = lock.holder(settings)
        return [holder] if holder else []
    from orchestrator.runs import presence  # its driver is slow to import

    return presence.living(settings)
