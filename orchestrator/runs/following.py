"""Following a run to its end from another process than its worker's."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from orchestrator.database.engine import reading
from orchestrator.errors import NeedsPerson, Waiting
from orchestrator.runs import lock, store, waiting
from orchestrator.runs.placing import Enqueue
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

LOOK_SECONDS = 0.5
SOON = timedelta(minutes=10)
LIMIT_SECONDS = 24 * 3600
WORKER_STARTS = 5
WORKER_APPEARS_SECONDS = 20


def to_its_time(engine: Engine, run: Run, say: Callable[[str], None], enqueue: Enqueue) -> Run:
    """Wait with a run that may begin within SOON, and release it; any other is returned as it is."""
    told = None
    while run.planned_at and run.waits and not run.wants_decision:
        now = datetime.now(UTC)
        if run.planned_at - now > SOON:
            break
        if run.planned_at != told:
            told = run.planned_at
            say(f"{run.id}: waits until {told:%Y-%m-%d %H:%M} UTC")
        if run.planned_at <= now:
            with engine.begin() as connection:
                waiting.release_one(connection, run.id, now, enqueue)
        time.sleep(LOOK_SECONDS)
        with reading(engine) as connection:
            run = store.get(connection, run.id)
    return run


def to_the_end(settings: Settings, engine: Engine, run: str, say: Callable[[str], None]) -> Run:
    """Wait until the run has ended, telling what it does; starts a worker when there is none.

    Waiting: it has not ended after LIMIT_SECONDS. NeedsPerson: workers end without finishing it.
    """
    deadline = time.monotonic() + LIMIT_SECONDS
    appears, starts, state = 0.0, 0, ""
    news = progress(store.evidence(settings, run).folder)
    while True:
        with reading(engine) as connection:
            found = store.get(connection, run)
        for line in next(news):
            say(line)
        if found.state != state:
            state = found.state
            say(f"{run}: {state}{f': {found.words}' if found.words else ''}")
        if not found.is_open:
            return found
        if time.monotonic() > deadline:
            raise Waiting(f"{run} is still {found.state} after {LIMIT_SECONDS} s", f"see amc run show {run}")
        if lock.holder(settings) is not None:
            appears = 0.0
        elif time.monotonic() > appears:
            if starts == WORKER_STARTS:
                raise NeedsPerson(
                    f"{starts} workers were started and {run} is still {state}", f"see {lock.log(settings)}"
                )
            lock.start_worker(settings)
            starts += 1
            appears = time.monotonic() + WORKER_APPEARS_SECONDS
        time.sleep(LOOK_SECONDS)


def progress(folder: Path) -> Iterator[list[str]]:
    """Each time it is asked: a line of words for every task that has ended since."""
    seen: dict[Path, int] = {}
    while True:
        lines = []
        for path in sorted(folder.glob("attempt-*/events.jsonl")):
            with path.open("rb") as file:
                file.seek(seen.get(path, 0))
                # A line that is being written has no end yet.
                whole = file.read().rpartition(b"\n")
            seen[path] = seen.get(path, 0) + len(whole[0]) + len(whole[1])
            lines += [_words(line) for line in whole[0].splitlines()]
        yield lines


def _words(line: bytes) -> str:
    event = json.loads(line)
    role = f"{event['role']}: " if "role" in event else ""
    message = f": {event['message']}" if event.get("message") else ""
    return (
        f"  {event['server']}  {event['status']:11} {event['seconds']:6.1f} s  {role}{event['task']}{message}"
    )
