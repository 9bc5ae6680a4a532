"""Somebody's decision on a run that waits for it: it goes to the queue, or it ends and its hours go back."""

from datetime import datetime

from sqlalchemy import Engine

from orchestrator.errors import UsageError
from orchestrator.runs import store, waiting
from orchestrator.runs.placing import Enqueue
from orchestrator.runs.states import Event
from orchestrator.runs.store import Run


def approve(engine: Engine, run: str, *, by: str, why: str, now: datetime, enqueue: Enqueue) -> Run:
    """Queue a run that waits for a decision, or let it wait for its time.

    UsageError: it waits for no decision, or nobody is named.
    """
    with engine.begin() as connection:
        found = _waiting(store.locked(connection, run), by)
        decision = _decision(by, why, now)
        if found.planned_at is None:
            store.move(connection, found, Event.APPROVE, "", decision=decision)
            enqueue(connection, found.id, found.customer)
        else:
            store.move(connection, found, Event.AGREE, found.words, decision=decision)
            waiting.release_one(connection, run, now, enqueue)
        return store.get(connection, run)


def reject(engine: Engine, run: str, *, by: str, why: str, now: datetime) -> Run:
    """End a run that waits, its hours go back. UsageError: it does not wait, no name or reason is given."""
    if not why.strip():
        raise UsageError("a rejection needs its reason", "add --why")
    with engine.begin() as connection:
        found = _waiting(store.locked(connection, run), by)
        words, decision = f"rejected by {by}: {why}", _decision(by, why, now)
        waiting.call_off(connection, found, Event.REJECT, words, now, decision=decision)
        return store.get(connection, run)


def _waiting(run: Run, by: str) -> Run:
    if not run.wants_decision:
        raise UsageError(f"{run.id} is {run.state} and waits for no decision", f"amc run show {run.id}")
    if not by.strip():
        raise UsageError("a decision is somebody's", "add --by NAME")
    return run


def _decision(by: str, why: str, now: datetime) -> dict[str, str]:
    return {"by": by, "why": why, "at": now.isoformat()}
