"""Somebody stops a run: before it begins nothing runs and its hours go back; a running one is told to end."""

from datetime import datetime

from sqlalchemy import Engine

from orchestrator.errors import UsageError
from orchestrator.runs import store, waiting
from orchestrator.runs.states import Event, State
from orchestrator.runs.store import Run


def cancel(engine: Engine, run: str, by: str, why: str, now: datetime) -> Run:
    """The run as it stands then: cancelled, or running with `stop` set, which its worker sees and settles.

    Asked again of a run that is told to end, it changes nothing. UsageError: it has ended, or no name or
    reason is given. Who takes a cancelled run from the queue finds it cancelled, and does nothing.
    """
    if not by.strip() or not why.strip():
        raise UsageError("a cancellation is somebody's, and needs its reason", "add --why, and --by NAME")
    stop = {"by": by, "why": why, "at": now.isoformat()}
    with engine.begin() as connection:
        found = store.locked(connection, run)
        if found.state is State.RUNNING:
            if found.stop is None:
                store.note_stop(connection, found, stop)
        elif found.waits or found.state is State.QUEUED:
            words = f"cancelled by {by}: {why}"
            waiting.call_off(connection, found, Event.CANCEL, words, now, stop=stop)
        else:
            raise UsageError(f"{found.id} is {found.state}: it has ended", f"amc run show {found.id}")
        return store.get(connection, run)
