"""Runs in the database: reading them, adding one, and moving one from state to state."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, or_, select, update

from orchestrator.contracts.model import Contract
from orchestrator.database.engine import reading
from orchestrator.errors import UsageError
from orchestrator.runs import states
from orchestrator.runs.evidence import Evidence
from orchestrator.runs.states import Event, State
from orchestrator.runs.tables import runs
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Run:
    """One row of the table; times are aware UTC, `held` to `overage` seconds or None while unknown."""

    id: str
    key: str
    request: str
    customer: str
    activity: str
    servers: list[str]
    cause: str
    check_mode: bool
    clause: str
    contract: dict[str, Any]
    repository: str
    inventory: str
    state: State
    words: str
    exit_code: int | None
    ordered_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    held: int | None = None
    raw: int | None = None
    rounded: int | None = None
    charged: int | None = None
    overage: int | None = None
    manifest: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    decision: dict[str, str] | None = None
    planned_at: datetime | None = None
    needs_approval: bool = False
    urgent: str | None = None
    stop: dict[str, str] | None = None
    hand: dict[str, str] | None = None
    beats: list[list[str]] | None = None

    @property
    def is_open(self) -> bool:
        """Queued or running: something still happens to it."""
        return self.state in states.OPEN

    @property
    def waits(self) -> bool:
        """For its time, for a decision, or for both."""
        return self.state is State.WAITING

    @property
    def wants_decision(self) -> bool:
        """It waits for somebody who agrees with its plan, or does not."""
        return self.waits and self.needs_approval and self.decision is None

    def agreed(self) -> Contract:
        """The contract as it stood when the order came."""
        return Contract.model_validate_json(json.dumps(self.contract))


def ledger_key(run: str) -> str:
    """The idempotency key of the run's postings."""
    return f"run:{run}"


def evidence(settings: Settings, run: str) -> Evidence:
    """The run's folder, there or not."""
    return Evidence(settings.runs_dir / run)


def get(connection: Connection, run: str) -> Run:
    """The run; UsageError when there is none of that id."""
    row = connection.execute(select(runs).where(runs.c.id == run)).one_or_none()
    if row is None:
        raise UsageError(f"there is no run {run}", "amc run list shows them")
    return _run(row)


def locked(connection: Connection, run: str) -> Run:
    """As `get`, and nobody else changes it before the caller's transaction ends."""
    get(connection, run)
    row = connection.execute(select(runs).where(runs.c.id == run).with_for_update()).one()
    return _run(row)


def ordered_under(connection: Connection, key: str) -> Run | None:
    """The run that was ordered under this key, refused ones aside."""
    query = select(runs).where(runs.c.key == key, runs.c.state != State.REFUSED)
    row = connection.execute(query).one_or_none()
    return None if row is None else _run(row)


def ordered_keys(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the keys under which anything was ordered, refused or not."""
    return set(connection.execute(select(runs.c.key).where(runs.c.key.in_(keys))).scalars())


def of_keys(connection: Connection, keys: Collection[str]) -> dict[str, Run]:
    """The newest run of each key, refused ones too."""
    query = select(runs).where(runs.c.key.in_(keys)).order_by(runs.c.ordered_at)
    return {row.key: _run(row) for row in connection.execute(query)}


def last_ordered(connection: Connection, customer: str, cause: str) -> datetime | None:
    """When something was last ordered for this cause, refused or not."""
    query = select(func.max(runs.c.ordered_at)).where(runs.c.customer == customer, runs.c.cause == cause)
    found: datetime | None = connection.execute(query).scalar()
    return found


def worked_since(connection: Connection, customer: str, activity: str, since: datetime) -> bool:
    """Whether a run of the activity waits, is open, or has begun since then; check runs aside."""
    query = select(runs.c.id).where(
        runs.c.customer == customer,
        runs.c.activity == activity,
        runs.c.check_mode.is_(False),
        or_(runs.c.state.in_({State.WAITING, *states.OPEN}), runs.c.started_at >= since),
    )
    return connection.execute(query.limit(1)).first() is not None


def due(connection: Connection, now: datetime) -> list[Run]:
    """Runs that wait, and whose time has come by `now`: the earliest first, then as they were ordered."""
    query = select(runs).where(runs.c.state == State.WAITING, runs.c.planned_at <= now)
    return [_run(row) for row in connection.execute(query.order_by(runs.c.planned_at, runs.c.ordered_at))]


def is_busy(connection: Connection, customer: str) -> bool:
    """Whether a run of the customer is queued or running."""
    query = select(runs.c.id).where(runs.c.customer == customer, runs.c.state.in_(states.OPEN))
    return connection.execute(query.limit(1)).first() is not None


def listing(connection: Connection, customer: str | None = None, limit: int | None = None) -> list[Run]:
    """Runs, the newest first."""
    query = select(runs).order_by(runs.c.ordered_at.desc(), runs.c.id.desc()).limit(limit)
    if customer is not None:
        query = query.where(runs.c.customer == customer)
    return [_run(row) for row in connection.execute(query)]


def open_runs(engine: Engine) -> list[Run]:
    """Runs that are queued or running, the oldest first."""
    query = select(runs).where(runs.c.state.in_(states.OPEN)).order_by(runs.c.ordered_at, runs.c.id)
    with reading(engine) as connection:
        return [_run(row) for row in connection.execute(query)]


def never_deployed(connection: Connection, customer: str, servers: Collection[str]) -> bool:
    """Whether no deployment of any of these servers is known to have ended well."""
    query = select(runs.c.servers).where(
        runs.c.customer == customer,
        runs.c.activity == "deploy",
        runs.c.state == State.DONE,
        runs.c.check_mode.is_(False),
    )
    return not any(set(servers) & set(deployed) for (deployed,) in connection.execute(query))


def add(connection: Connection, run: Run) -> None:
    """Insert a new run."""
    if run.state not in states.FIRST:
        raise states.ImpossibleTransition(f"a run can't begin as {run.state}")
    connection.execute(insert(runs).values({field.name: getattr(run, field.name) for field in fields(Run)}))


def move(connection: Connection, run: Run, event: Event, words: str, **facts: Any) -> State:
    """Move the run, which must still be as it was read, and note the facts (columns) that come with it."""
    state = states.after(run.state, event)
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == run.id, runs.c.state == run.state)
        .values(state=state, words=words, exit_code=states.EXIT_CODES.get(state), **facts)
    )
    if changed.rowcount != 1:
        raise states.ImpossibleTransition(f"{run.id} is no longer {run.state}")
    return state


def note_stop(connection: Connection, run: Run, stop: dict[str, str]) -> None:
    """Tell whoever works on the run that somebody wants its end: {by, why, at}."""
    connection.execute(update(runs).where(runs.c.id == run.id).values(stop=stop))


def note_beats(connection: Connection, run: Run, beats: list[list[str]]) -> None:
    """Keep the heartbeats of a run by hand."""
    connection.execute(update(runs).where(runs.c.id == run.id).values(beats=beats))


def running_by_hand(connection: Connection) -> list[Run]:
    """Runs that somebody runs himself, and that have not ended."""
    query = select(runs).where(runs.c.state == State.RUNNING, runs.c.hand.is_not(None))
    return [_run(row) for row in connection.execute(query.order_by(runs.c.ordered_at))]


def running_on(connection: Connection, servers: Collection[str]) -> Run | None:
    """A run that is at work on one of these servers, check runs aside."""
    query = select(runs).where(runs.c.state == State.RUNNING, runs.c.check_mode.is_(False))
    found = (_run(row) for row in connection.execute(query.order_by(runs.c.ordered_at)))
    return next((run for run in found if set(run.servers) & set(servers)), None)


def _run(row: Row[Any]) -> Run:
    values = row._asdict()
    return Run(**values | {"state": State(values["state"])})
