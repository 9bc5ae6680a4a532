"""The worker's watch: it notes that the worker lives, tells what is to be told, pings a dead-man's switch.

`beat` returns at once: what needs the network happens in threads, one of a kind at a time. Where AMC_PING_URL
names an address (as healthchecks' are: https://host/<secret>), it is asked at each beat, with `/fail` at its
end while something is wrong: runs overdue, a fault of the worker's, channels that can't be read. Silence is
then the alarm of whoever waits for the ping.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select, update

from orchestrator.database.engine import reading
from orchestrator.errors import AmcError
from orchestrator.notify import channels, courier, findings, outbox, ping, scrape
from orchestrator.notify.agreements import agreements
from orchestrator.notify.tables import beats
from orchestrator.settings import Settings

EVERY_SECONDS = 20.0
LEAVE_SECONDS = 20.0
TOLD_AGAIN_SECONDS = 600.0
FAULT_SECONDS = 100.0
"""A fault is the pings' for so long: whoever has it tells it once a minute."""


class _Watch:
    """What this process remembers between two beats."""

    def __init__(self) -> None:
        self.next = 0.0  # monotonic
        self.faults: dict[str, float] = {}  # by their words: when they were told
        self.threads: dict[str, threading.Thread] = {}
        self.told: dict[str, float] = {}
        self.scraped = False
        self.untold = ""

    def run(self, name: str, work: Callable[[], None]) -> None:
        """In a thread of that name, unless the one before still works."""
        before = self.threads.get(name)
        if before is None or not before.is_alive():
            self.threads[name] = threading.Thread(target=work, name=f"amc-{name}", daemon=True)
            self.threads[name].start()

    def say(self, words: str) -> None:
        """Print it, the same words not again for TOLD_AGAIN_SECONDS."""
        now = time.monotonic()
        if now - self.told.get(words, -TOLD_AGAIN_SECONDS) >= TOLD_AGAIN_SECONDS:
            self.told = {each: at for each, at in self.told.items() if now - at < TOLD_AGAIN_SECONDS}
            self.told[words] = now
            print(f"notify: {words}", flush=True)


_WATCH = _Watch()


def beat(settings: Settings, engine: Engine, now: datetime, faults: Sequence[str] = ()) -> None:
    """Call this as often as you like; it works every EVERY_SECONDS. Raises what the database raises.

    `faults`: what went wrong in the worker since it called last, in words: the next pings say so.
    """
    _WATCH.faults |= dict.fromkeys(faults, time.monotonic())
    if time.monotonic() < _WATCH.next:
        return
    _WATCH.next = time.monotonic() + EVERY_SECONDS
    note_beat(engine, f"{socket.gethostname()}:{os.getpid()}", now)
    if settings.metrics_port and not _WATCH.scraped:
        _WATCH.scraped = True
        _WATCH.say(scrape.listen(settings, engine))
    old = time.monotonic() - FAULT_SECONDS
    _WATCH.faults = {words: at for words, at in _WATCH.faults.items() if at > old}
    wrong = list(_WATCH.faults)
    if settings.notify_file:
        _WATCH.run("tell", lambda: _tell(settings, engine, now))
        wrong += [_WATCH.untold] if _WATCH.untold else []
    if settings.ping_url:
        _WATCH.run("ping", lambda: _ping(settings, engine, now, wrong))


def leave(settings: Settings, engine: Engine, now: datetime) -> None:
    """The worker's last beat: tells what is left to tell, for LEAVE_SECONDS at most."""
    deadline = time.monotonic() + LEAVE_SECONDS
    for again in (False, True):
        if again:
            _WATCH.next = 0.0
            beat(settings, engine, now)
        for thread in _WATCH.threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))


def tell(settings: Settings, engine: Engine, now: datetime) -> list[str]:
    """Find what is to be told, and send what is due; what channels did not take, in words.

    InvalidInput: the channels' file. Raises what the database raises.
    """
    if settings.notify_file is None:
        return []
    known = channels.read(settings.notify_file)
    with reading(engine) as connection:
        found = findings.gather(connection, agreements(settings), now, known.hours_ahead)
    outbox.note(engine, found, known, now)
    return courier.deliver(engine, known, now)


def overdue(settings: Settings, engine: Engine, now: datetime) -> list[str]:
    """Runs and occurrences whose time has passed, in words for whoever gets the ping's alarm."""
    with reading(engine) as connection:
        late = findings.late_runs(connection, now)
        missed = findings.never_ordered(connection, agreements(settings), now)
    said = [f"{run.id} is overdue: still {run.state}" for run in late]
    return said + [f"{each.uid} is overdue: nothing ordered it" for _, each in missed]


def note_beat(engine: Engine, worker: str, now: datetime) -> None:
    """That this worker lives; rows of workers that are gone are replaced by its own."""
    with engine.begin() as connection:
        done = connection.execute(update(beats).where(beats.c.worker == worker).values(beat_at=now))
        if done.rowcount == 0:
            first = connection.execute(select(beats.c.first_at).order_by(beats.c.first_at).limit(1)).scalar()
            connection.execute(delete(beats).where(beats.c.worker.startswith(f"{worker.partition(':')[0]}:")))
            connection.execute(insert(beats).values(worker=worker, first_at=first or now, beat_at=now))


def _tell(settings: Settings, engine: Engine, now: datetime) -> None:
    """No run fails by what goes wrong here: it is printed, and the next ping says it."""
    try:
        for words in tell(settings, engine, now):
            _WATCH.say(words)
        _WATCH.untold = ""
    except Exception as error:
        said = str(error) if isinstance(error, AmcError) else f"{type(error).__name__}: {error}"
        _WATCH.untold = f"nothing is told: {said}"
        _WATCH.say(_WATCH.untold)


def _ping(settings: Settings, engine: Engine, now: datetime, wrong: list[str]) -> None:
    try:
        wrong += overdue(settings, engine, now)
    except Exception as error:
        wrong.append(f"{type(error).__name__}: {error}")
    if words := ping.send(settings, wrong):
        _WATCH.say(f"the dead-man's switch can't be reached: {words}")
