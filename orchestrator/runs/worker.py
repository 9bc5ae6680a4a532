"""The queue and the durable execution: DBOS behind this one module.

A run is one workflow of two steps: `follow` brings the playbook to its end (and finds it again after a
crash), `settle` moves the run's row and its hold in one transaction. After a crash DBOS calls a step that
had not ended once more, so both are made to be called again. A customer is a partition of the queue: one
run per customer at a time, hence one per server, also for runs on several servers.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType

from dbos import DBOS, DBOSClient
from sqlalchemy import Connection, Engine, inspect

from orchestrator.database.engine import is_sqlite, parse_url, reading, refusal
from orchestrator.errors import Waiting
from orchestrator.runs import attempts, lock, outcome, store
from orchestrator.runs.states import Event
from orchestrator.settings import Settings

QUEUE = "runs"
WORKFLOW = "execute"
APPLICATION = "amc"
VERSION = "1"  # runs that wait under another version are never taken: not to be changed
LOOK_SECONDS = 0.5
FINISH_SECONDS = 10
LOST_SECONDS = 15  # a workflow that begins or ends is in nobody's hands for an instant


def install(database_url: str) -> None:
    """Create or migrate DBOS's own tables beside ours; `amc init` does this."""
    DBOS.migrate(_url(database_url))


def enqueue(connection: Connection, run: str, customer: str) -> None:
    """Queue the run in the caller's transaction: ordered, held and queued together, or not at all."""
    _refuse_half_made(connection)
    client = DBOSClient(system_database_engine=connection.engine, application_name=APPLICATION, lazy=True)
    client.enqueue_in_transaction(
        connection,
        {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": run,
            "workflow_id_reuse_policy": "reject",
            "queue_partition_key": customer,
        },
        run,
    )


def serve(settings: Settings, engine: Engine, until_idle: bool) -> None:
    """Work until a signal comes or, `until_idle`, until no run is open.

    Waiting (exit 6) when another worker is at work.
    """
    os.umask(0o077)
    with reading(engine) as connection:
        _refuse_half_made(connection)
    held = lock.acquire(settings)
    if held is None:
        raise Waiting(f"a worker is already running here (process {lock.holder(settings)})", "let it work")
    with held:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, _leave)
        hands: set[str] = set()
        _launch(settings, engine, hands)
        lost: dict[str, float] = {}
        try:
            while not (until_idle and not store.open_runs(engine)):
                _close_failed_workflows(settings, engine)
                lost = _lost_workflows(settings, engine, hands, lost)
                if any(time.monotonic() - since > LOST_SECONDS for since in lost.values()):
                    break
                time.sleep(LOOK_SECONDS)
        finally:
            DBOS.destroy(workflow_completion_timeout_sec=FINISH_SECONDS)
    if lost:
        print(
            f"worker: begins anew, lost {', '.join(lost)}: did the database fail, is the disk full?",
            flush=True,
        )
        # Only a start takes such a workflow up again. What runs goes on meanwhile.
        own = ["-m", "orchestrator.cli.main", "worker", *(["--until-idle"] if until_idle else [])]
        os.execv(sys.executable, [sys.executable, *own])
    # An order that came while this worker was leaving saw the lock held and started none.
    if store.open_runs(engine):
        lock.start_worker(settings)


def _launch(settings: Settings, engine: Engine, hands: set[str]) -> None:
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": _url(settings.database_url),
            "application_version": VERSION,
            "executor_id": _executor(settings),
            "run_migrations": False,
            "log_level": "WARNING",
        }
    )
    _register(settings, engine, hands)
    DBOS.launch()
    DBOS.register_queue(QUEUE, partition_concurrency=1, worker_concurrency=8, polling_interval_sec=0.5)


def _register(settings: Settings, engine: Engine, hands: set[str]) -> None:
    """Tell DBOS the workflow and its steps; `hands` are the runs that a thread of ours works on."""

    @DBOS.step(name="follow")
    def follow(run: str) -> tuple[str, str]:
        event, words = _follow(settings, engine, run)
        return event.value, words

    @DBOS.step(name="settle", retries_allowed=True, max_attempts=6, interval_seconds=1)
    def settle(run: str, event: str, words: str) -> str:
        state = outcome.settle(settings, engine, run, Event(event), words, now=datetime.now(UTC))
        _say(run)(f"{state}: {words}" if words else state)
        return state

    @DBOS.workflow(name=WORKFLOW)
    def execute(run: str) -> str:
        hands.add(run)
        try:
            event, words = follow(run)
            return settle(run, event, words)
        finally:
            hands.discard(run)


def _follow(settings: Settings, engine: Engine, run: str) -> tuple[Event, str]:
    """The run's end as an event and words; whatever goes wrong, a hold is settled after it."""
    try:
        evidence = outcome.begin(settings, engine, run, datetime.now(UTC))
        fate, words = attempts.follow(run, evidence, _say(run))
        return outcome.judge(evidence, fate, words)
    except Exception as error:
        return Event.FAIL, f"{type(error).__name__}: {error}"


def _close_failed_workflows(settings: Settings, engine: Engine) -> None:
    """An open run whose workflow has ended or is missing would hold its hours for ever: settle it here."""
    runs = [run.id for run in store.open_runs(engine)]
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


def _lost_workflows(
    settings: Settings, engine: Engine, hands: set[str], before: dict[str, float]
) -> dict[str, float]:
    """Runs that DBOS calls ours and at work, while no thread works on them: since when (monotonic seconds).

    When the database fails while a step's result is noted (a full disk), DBOS's thread ends and nobody asks
    for the workflow again.
    """
    runs = [run.id for run in store.open_runs(engine) if run.id not in hands]
    if not runs:
        return {}
    found = DBOS.list_workflows(workflow_ids=runs, status="PENDING", load_input=False, load_output=False)
    ours = [each.workflow_id for each in found if each.executor_id == _executor(settings)]
    return {run: before.get(run, time.monotonic()) for run in ours if run not in hands}


def _leave(_sign: int, _frame: FrameType | None) -> None:
    """Runs outlive their worker: the next one attaches to them. DBOS's own way out would wait for them."""
    # Not print: the signal may have come in the middle of one.
    os.write(1, b"worker: told to stop; what runs goes on, the next worker attaches to it\n")
    os._exit(0)


def _say(run: str) -> Callable[[str], None]:
    return lambda words: print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {run}: {words}", flush=True)


def _executor(settings: Settings) -> str:
    """Who recovers whose workflows: on SQLite there is one worker, on PostgreSQL one a host and home."""
    if settings.database_url.startswith("sqlite"):
        return "local"
    return f"{socket.gethostname()}:{settings.home}"


def _refuse_half_made(connection: Connection) -> None:
    """An `amc init` that was killed leaves our tables without DBOS's."""
    schema = None if is_sqlite(connection.engine.url) else "dbos"
    if not inspect(connection).has_table("workflow_status", schema=schema):
        raise refusal(connection.engine.url, "the queue's tables are missing", "run amc init")


def _url(database_url: str) -> str:
    return parse_url(database_url).render_as_string(hide_password=False)
