"""Runs that fell out of a worker's hands: of a dead worker, of a workflow that ended, of a thread that did.

DBOS's own recovery takes up what was in the hands of a worker of the same name, so on SQLite a start is
enough. On PostgreSQL every worker has a name of its own, and the living ones put a dead one's runs back into
the queue.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from dbos import DBOS
from sqlalchemy import Engine

from orchestrator.runs import outcome, store
from orchestrator.runs.lock import Seat
from orchestrator.runs.states import Event
from orchestrator.runs.store import Run
from orchestrator.settings import Settings


def in_queue(engine: Engine) -> list[Run]:
    """Runs that are queued or running here: not those that somebody runs by hand."""
    return [run for run in store.open_runs(engine) if run.hand is None]


def take_over(seat: Seat, queue: str, say: Callable[[str], None]) -> None:
    """Queue the runs that dead workers had in their hands, on PostgreSQL."""
    if seat.presence is None:
        return
    at_work = DBOS.list_workflows(status="PENDING", queue_name=queue, load_input=False, load_output=False)
    for worker in sorted({each.executor_id for each in at_work if each.executor_id} - {seat.name}):
        with seat.presence.dead(worker) as is_dead:
            if is_dead:
                _resume(worker, queue, say)


def _resume(worker: str, queue: str, say: Callable[[str], None]) -> None:
    # Read again, now that nobody else takes them.
    left = DBOS.list_workflows(
        status="PENDING", queue_name=queue, executor_id=worker, load_input=False, load_output=False
    )
    for each in left:
        say(f"{each.workflow_id}: taken over from {worker}, which is dead")
        # Without the queue's name it would go to another queue, and run beside its customer's other runs.
        DBOS.resume_workflow(each.workflow_id, queue_name=queue)


def close_failed_workflows(settings: Settings, engine: Engine) -> None:
    """An open run whose workflow has ended or is missing would hold its hours for ever: settle it here."""
    runs = [run.id for run in in_queue(engine)]
    if not runs:
        return
    found = DBOS.list_workflows(workflow_ids=runs, load_input=False, load_output=False)
    statuses = {workflow.workflow_id: workflow.status for workflow in found}
    for run in runs:
        status = statuses.get(run, "MISSING")
        if status not in ("ENQUEUED", "DELAYED", "PENDING"):
            # The row may have been settled since it was read.
            words = f"its workflow is {status.lower()}"
            outcome.settle(settings, engine, run, Event.FAIL, words, now=datetime.now(UTC))


def lost_workflows(
    engine: Engine, worker: str, hands: set[str], before: dict[str, float]
) -> dict[str, float]:
    """Runs that DBOS calls `worker`'s and at work, while no thread works on them: since when (monotonic s).

    When the database fails while a step's result is noted (a full disk), DBOS's thread ends and nobody asks
    for the workflow again.
    """
    runs = [run.id for run in in_queue(engine) if run.id not in hands]
    if not runs:
        return {}
    found = DBOS.list_workflows(workflow_ids=runs, status="PENDING", load_input=False, load_output=False)
    ours = [each.workflow_id for each in found if each.executor_id == worker]
    return {run: before.get(run, time.monotonic()) for run in ours if run not in hands}
