"""What there is to tell, found in the database and the contracts: nothing else has to think of telling it.

Asked again it finds the same; the keys of the messages keep it from being told twice (outbox.py).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from orchestrator.contracts.activities import ActivityName
from orchestrator.contracts.model import Contract
from orchestrator.contracts.recurrence import ANY_TIME
from orchestrator.ledger import reading as ledger
from orchestrator.notify import messages
from orchestrator.notify.agreements import Agreement
from orchestrator.notify.events import TOLD_WITHIN, Event, Message
from orchestrator.notify.messages import Work
from orchestrator.notify.tables import beats
from orchestrator.notify.tables import messages as told
from orchestrator.runs.states import State
from orchestrator.runs.store import Run
from orchestrator.runs.tables import runs
from orchestrator.schedule.occurrences import Occurrence, expected, occurrences, scheduled

LATE = timedelta(minutes=30)
"""A run, or an occurrence without one, is overdue when its time has passed by this."""
IN_QUEUE = timedelta(hours=2)
"""A queued run may wait so long for others of its customer."""
MISSED_WITHIN = timedelta(hours=24)
BY_ITSELF = ("schedule", "change")
"""The causes of orders that nobody sits in front of."""
NOT_DONE = (State.CANCELLED, State.REJECTED, State.REFUSED)


def gather(connection: Connection, agreed: list[Agreement], now: datetime, hours_ahead: int) -> list[Message]:
    """Every message that is due at `now`, told already or not."""
    return [
        *of_runs(connection, now),
        *of_hours(connection, agreed, now),
        *(messages.of_late(run, now) for run in late_runs(connection, now)),
        *(messages.of_never_ordered(*each, now) for each in never_ordered(connection, agreed, now)),
        *of_maintenance(connection, agreed, now, timedelta(hours=hours_ahead)),
    ]


def of_runs(connection: Connection, now: datetime) -> Iterator[Message]:
    """Of runs that wait for a decision, and of those that ended badly within TOLD_WITHIN."""
    undecided = and_(runs.c.state == State.WAITING, runs.c.needs_approval, runs.c.decision.is_(None))
    real = runs.c.check_mode.is_(False)
    badly = and_(runs.c.state.in_(messages.TOLD_ENDS), runs.c.ended_at > now - TOLD_WITHIN, real)
    refused = and_(runs.c.state == State.REFUSED, runs.c.ordered_at > now - TOLD_WITHIN, real)
    for run in _found(connection, or_(undecided, badly, refused)):
        if run.state is State.WAITING:
            yield messages.of_approval(run, now)
        elif run.state is not State.REFUSED or run.cause.startswith(BY_ITSELF):
            yield messages.of_end(run, now)


def of_hours(connection: Connection, agreed: list[Agreement], now: datetime) -> Iterator[Message]:
    """Of every contract whose hours of this year are nearly used, or used up."""
    for contract, _ in agreed:
        account = ledger.year_account(connection, contract, contract.year_of(now), now)
        if message := messages.of_hours(contract, account, now):
            yield message


def late_runs(connection: Connection, now: datetime) -> list[Run]:
    """Those that should have begun by now and wait for nobody's decision."""
    decided = or_(runs.c.needs_approval.is_(False), runs.c.decision.is_not(None))
    waits = and_(runs.c.state == State.WAITING, decided, runs.c.planned_at < now - LATE)
    queued = and_(
        runs.c.state == State.QUEUED,
        runs.c.ordered_at < now - IN_QUEUE,
        or_(runs.c.planned_at.is_(None), runs.c.planned_at < now - IN_QUEUE),
    )
    return _found(connection, or_(waits, queued))


def never_ordered(
    connection: Connection, agreed: list[Agreement], now: datetime
) -> list[tuple[Contract, Occurrence]]:
    """The last occurrence of each activity whose time has passed within MISSED_WITHIN without an order.

    One of before this installation had its first worker, or the contract's file, is none.
    """
    first = connection.execute(select(beats.c.first_at).order_by(beats.c.first_at).limit(1)).scalar()
    if first is None:
        return []
    found = []
    for contract, since in agreed:
        start = max(first, datetime.fromtimestamp(since, UTC), now - MISSED_WITHIN)
        for activity in scheduled(contract):
            past = [each for each in occurrences(contract, activity, start, now - LATE) if each.planned]
            if past and not _is_made_up(connection, past[-1], now):
                found.append((contract, past[-1]))
    return found


def of_maintenance(
    connection: Connection, agreed: list[Agreement], now: datetime, ahead: timedelta
) -> Iterator[Message]:
    """Notices of what is planned within `ahead`, of announced work that was moved, and that is off."""
    until = _announced(connection, now)
    for contract, _ in agreed:
        wanted = {work.key: work for work in _planned(connection, contract, now, ahead, set(until))}
        for key, work in wanted.items():
            before = until.get(key, (contract.customer, None))[1]
            if before != work.planned:
                yield messages.of_maintenance(contract, work, before)
        for key, (customer, before) in until.items():
            if customer != contract.customer or key in wanted or before is None or before <= now:
                continue
            run = _under(connection, key)
            if run is None or run.state in NOT_DONE:
                yield messages.of_maintenance_off(contract, key, before)


def _announced(connection: Connection, now: datetime) -> dict[str, tuple[str, datetime | None]]:
    """By the order's key: (customer, the time that stands now; None: called off), of the last months."""
    query = select(told.c.key, told.c.customer, told.c.until).where(
        told.c.event == Event.MAINTENANCE, told.c.made_at > now - timedelta(days=100)
    )
    found: dict[str, tuple[str, datetime | None]] = {}
    for key, customer, until in connection.execute(query.order_by(told.c.made_at, told.c.key)):
        work, is_off = messages.announced(key)
        found[work] = (customer, None if is_off else until)
    return found


def _planned(
    connection: Connection, contract: Contract, now: datetime, ahead: timedelta, known: set[str]
) -> Iterator[Work]:
    """What may stop M EMS within `ahead`: runs that wait for their time, and occurrences not ordered yet."""
    waits = and_(
        runs.c.customer == contract.customer,
        runs.c.state == State.WAITING,
        runs.c.check_mode.is_(False),
        runs.c.planned_at > now,
        or_(runs.c.needs_approval.is_(False), runs.c.decision.is_not(None)),
        or_(runs.c.planned_at <= now + ahead, runs.c.key.in_(known)),
    )
    for run in _found(connection, waits):
        if run.activity not in ANY_TIME and run.planned_at:
            lasts = expected(contract, cast(ActivityName, run.activity))
            yield Work(run.key, run.customer, run.activity, run.planned_at, lasts, tuple(run.servers))
    for activity in scheduled(contract):
        for each in () if activity in ANY_TIME else occurrences(contract, activity, now, now + ahead):
            if each.planned and each.planned > now and _under(connection, each.uid) is None:
                yield Work(each.uid, contract.customer, activity, each.planned, each.lasts, ())


def _is_made_up(connection: Connection, each: Occurrence, now: datetime) -> bool:
    """Ordered under its uid, or done by somebody since it was due."""
    done = and_(
        runs.c.customer == each.customer,
        runs.c.activity == each.activity,
        runs.c.check_mode.is_(False),
        runs.c.ordered_at.between(each.due, now),
    )
    return bool(_found(connection, or_(runs.c.key == each.uid, done)))


def _under(connection: Connection, key: str) -> Run | None:
    """The newest run that was ordered under this key, refused or not."""
    return next(iter(_found(connection, runs.c.key == key)), None)


def _found(connection: Connection, condition: ColumnElement[bool]) -> list[Run]:
    """The newest first."""
    query = select(runs).where(condition).order_by(runs.c.ordered_at.desc(), runs.c.id.desc())
    rows = (row._asdict() for row in connection.execute(query))
    return [Run(**row | {"state": State(row["state"])}) for row in rows]
