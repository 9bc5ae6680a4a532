"""Somebody's decision on a run that waits for it: it goes to the queue, or it ends and its hours go back."""

from datetime import datetime

from sqlalchemy import Engine

from orchestrator.errors import UsageError
from orchestrator.ledger import store as ledger
from orchestrator.runs import store
from orchestrator.runs.placing import Enqueue
from orchestrator.runs.states import Event, State
from orchestrator.runs.store import Run


def approve(engine: Engine, run: str, *, by: str, why: str, now: datetime, enqueue: Enqueue) -> Run:
    """Queue a run that waits. UsageError: it does not wait, or nobody is named."""
    with engine.begin() as connection:
        found = _waiting(store.get(connection, run), by)
        store.move(connection, found, Event.APPROVE, "", decision=_decision(by, why, now))
        enqueue(connection, found.id, found.customer)
        return store.get(connection, run)


def reject(engine: Engine, run: str, *, by: str, why: str, now: datetime) -> Run:
    """End a run that waits, its hours go back. UsageError: it does not wait, no name or reason is given."""
    if not why.strip():
        raise UsageError("a rejection needs its reason", "add --why")
    with engine.begin() as connection:
        found = _waiting(store.get(connection, run), by)
        if not found.check_mode:
            ledger.void(connection, store.ledger_key(run), f"rejected by {by}", now)
        facts = {"decision": _decision(by, why, now), "ended_at": now, "raw": 0, "rounded": 0, "charged": 0}
        store.move(connection, found, Event.REJECT, f"rejected by {by}: {why}", **facts, overage=0)
        return store.get(connection, run)


def _waiting(run: Run, by: str) -> Run:
    if run.state is not State.WAITING:
        raise UsageError(f"{run.id} is {run.state} and waits for no decision", f"amc run show {run.id}")
    if not by.strip():
        raise UsageError("a decision is somebody's", "add --by NAME")
    return run


def _decision(by: str, why: str, now: datetime) -> dict[str, str]:
    return {"by": by, "why": why, "at": now.isoformat()}
