"""The queue and the durable execution: DBOS behind this one module.

A run is one workflow of two steps: `follow` brings the playbook to its end (and finds it again after a
crash), `settle` moves the run's row and its hold in one transaction. After a crash DBOS calls a step that
had not ended once more, so both are made to be called again. A customer is a partition of the queue: one
run per customer at a time, hence one per server, also for runs on several servers.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from types import FrameType

from dbos import DBOS, DBOSClient
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DatabaseError

from orchestrator.database.engine import is_sqlite, parse_url, reading, refusal
from orchestrator.runs import attempts, lock, outcome, stopping, store, takeover
from orchestrator.runs.attempts import Fate
from orchestrator.runs.beginning import Elsewhere, Over, TooLate, begin
from orchestrator.runs.evidence import Evidence
from orchestrator.runs.rounds import Rounds, Watch
from orchestrator.runs.states import Event
from orchestrator.settings import Settings

QUEUE = "runs"
WORKFLOW = "execute"
APPLICATION = "amc"
VERSION = "1"  # runs that wait under another version are never taken: not to be changed
LOOK_SECONDS = 0.5
FINISH_SECONDS = 10
STOP_LOOK_SECONDS = 1
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


def serve(settings: Settings, engine: Engine, watch: Watch, *, until_idle: bool) -> None:
    """Work until a signal comes or, `until_idle`, until no run is queued or running.

    A worker that ends by itself orders nothing of the schedule: that is for one that stays. Waiting (exit 6)
    when another worker is at work on SQLite.
    """
    os.umask(0o077)
    with reading(engine) as connection:
        _refuse_half_made(connection)
    seat = lock.take_seat(settings)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, _leave)
    hands: set[str] = set()
    _launch(settings, engine, seat, hands)
    rounds = Rounds(settings, engine, enqueue, _say, watch, plans=not until_idle)
    try:
        lost = _work(settings, engine, seat, rounds, hands=hands, until_idle=until_idle)
    finally:
        DBOS.destroy(workflow_completion_timeout_sec=FINISH_SECONDS)
        rounds.leave()
        seat.leave()
    if lost:
        _say(f"begins anew, lost {', '.join(lost)}: did the database fail, is the disk full?")
        # Only a start takes such a workflow up again. What runs goes on meanwhile.
        own = ["-m", "orchestrator.cli.main", "worker", *(["--until-idle"] if until_idle else [])]
        os.execv(sys.executable, [sys.executable, *own])
    # An order that came while this worker was leaving saw the lock held and started none.
    if takeover.in_queue(engine):
        lock.start_worker(settings)


def _work(
    settings: Settings, engine: Engine, seat: lock.Seat, rounds: Rounds, *, hands: set[str], until_idle: bool
) -> list[str]:
    """Look after the runs; returns at the end those that are lost, so that a start must take them up."""
    lost: dict[str, float] = {}
    while True:
        rounds.make(seat.leads)
        if until_idle and not takeover.in_queue(engine):
            return []
        takeover.take_over(seat, QUEUE, _say)
        takeover.close_failed_workflows(settings, engine)
        lost = takeover.lost_workflows(engine, seat.name, hands, lost)
        if any(time.monotonic() - since > LOST_SECONDS for since in lost.values()):
            return list(lost)
        time.sleep(LOOK_SECONDS)


def _launch(settings: Settings, engine: Engine, seat: lock.Seat, hands: set[str]) -> None:
    DBOS(
        config={
            "name": APPLICATION,
            "system_database_url": _url(settings.database_url),
            "application_version": VERSION,
            "executor_id": seat.name,
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
        _say_of(run)(f"{state}: {words}" if words else state)
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
        evidence = begin(settings, engine, run, datetime.now(UTC))
        fate, words = attempts.follow(run, evidence, _say_of(run), _stop_flag(engine, run))
        if fate is Fate.STOPPED:
            return _stopped(settings, evidence, words)
        return outcome.judge(evidence, fate, words)
    except Over:
        return Event.CANCEL, ""
    except TooLate as error:
        return Event.FAIL, str(error)
    except Elsewhere as error:
        return Event.LOSE, str(error)
    except Exception as error:
        return Event.FAIL, f"{type(error).__name__}: {error}"


def _stopped(settings: Settings, evidence: Evidence, wanted: str) -> tuple[Event, str]:
    """Cancelled, or unknown where a server can't be reached: its units may go on."""
    ended, words = stopping.on_servers(settings, evidence)
    if ended:
        return Event.CANCEL, f"{wanted}; {words}" if words else wanted
    return Event.LOSE, f"{wanted}; what runs on a server could not be ended: {words}"


def _stop_flag(engine: Engine, run: str) -> Callable[[], str]:
    """Who wants the run's end and why, in words; the row is looked at every STOP_LOOK_SECONDS."""
    looked, found = float("-inf"), ""

    def stop() -> str:
        nonlocal looked, found
        if not found and time.monotonic() - looked >= STOP_LOOK_SECONDS:
            looked = time.monotonic()
            # A database that fails for a moment is no reason to end a run.
            with suppress(DatabaseError), reading(engine) as connection:
                if wanted := store.get(connection, run).stop:
                    found = f"cancelled by {wanted['by']}: {wanted['why']}"
        return found

    return stop


def _leave(_sign: int, _frame: FrameType | None) -> None:
    """Runs outlive their worker: the next one attaches to them. DBOS's own way out would wait for them."""
    # Not print: the signal may have come in the middle of one.
    os.write(1, b"worker: told to stop; what runs goes on, the next worker attaches to it\n")
    os._exit(0)


def _say(words: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} worker: {words}", flush=True)


def _say_of(run: str) -> Callable[[str], None]:
    return lambda words: print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {run}: {words}", flush=True)


def _refuse_half_made(connection: Connection) -> None:
    """An `amc init` that was killed leaves our tables without DBOS's."""
    schema = None if is_sqlite(connection.engine.url) else "dbos"
    if not inspect(connection).has_table("workflow_status", schema=schema):
        raise refusal(connection.engine.url, "the queue's tables are missing", "run amc init")


def _url(database_url: str) -> str:
    return parse_url(database_url).render_as_string(hide_password=False)
