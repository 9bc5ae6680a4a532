"""A worker takes a run, for the first time or again after a crash, and finds its evidence."""

from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from orchestrator.runs import store, waiting
from orchestrator.runs.evidence import Evidence, write_json
from orchestrator.runs.states import Event
from orchestrator.runs.store import Run
from orchestrator.settings import Settings


class Over(Exception):
    """The run has ended before it was taken: it was cancelled while it was queued."""


class Elsewhere(Exception):
    """Another worker has begun the run, and its evidence is not here: nobody can tell what it launched."""


class TooLate(Exception):
    """What is left of its window does not suffice: it was in the queue for too long."""


def begin(settings: Settings, engine: Engine, run: str, now: datetime) -> Evidence:
    """Note that the run is taken; its evidence folder says what was ordered. Over, Elsewhere, TooLate.

    The order is written while the row is locked, so a run that was begun has its evidence somewhere; where
    that is not here, the run was begun on another machine, or in a home of its own.
    """
    evidence = store.evidence(settings, run)
    with engine.begin() as connection:
        found = store.locked(connection, run)
        if not found.is_open:
            raise Over(found.words)
        if words := waiting.too_late(connection, found, now):
            raise TooLate(words)
        if found.started_at is not None and not evidence.order.exists():
            raise Elsewhere(f"another worker began it, and its evidence is not in {settings.runs_dir}")
        store.move(connection, found, Event.START, found.words, started_at=found.started_at or now)
        if found.started_at is None:
            write_json(evidence.order, _order(found))
    evidence.reports.mkdir(exist_ok=True, mode=0o700)
    return evidence


def _order(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "customer": run.customer,
        "activity": run.activity,
        "servers": run.servers,
        "check": run.check_mode,
        "options": run.options,
        "cause": run.cause,
        "key": run.key,
        "ordered_at": run.ordered_at.isoformat(),
        "clause": run.clause,
        "contract": run.contract,
        "repository": run.repository,
        "inventory": run.inventory,
    }
