"""Who may work: on SQLite one worker at a time, on PostgreSQL any number, each with a name of its own.

On SQLite an advisory lock on a file, which the kernel frees however the worker ends. It stands beside the
database, so that two homes on one database can't have two workers. On PostgreSQL see presence.py.
"""

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from orchestrator.errors import Waiting
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.runs.presence import Presence

PROBE_SECONDS = 2.0  # a reader that only looks holds the lock for an instant: try that long
ALONE = "local"  # the name of SQLite's one worker: whatever was in its hands is in the next one's


@dataclass(frozen=True)
class Seat:
    """A worker's right to work. `name` is what DBOS knows it by; `presence`: on PostgreSQL only."""

    name: str
    presence: "Presence | None"
    file: IO[str] | None = None

    def leads(self) -> bool:
        """Whether this worker makes the rounds."""
        return self.presence is None or self.presence.leads()

    def leave(self) -> None:
        """Give it back."""
        if self.presence:
            self.presence.close()
        if self.file:
            self.file.close()


def take_seat(settings: Settings) -> Seat:
    """The right to work, until it is left or the process ends.

    Waiting (exit 6) when SQLite's one worker is at work. InvalidInput: see Presence.require_shared_evidence.
    """
    if settings.database_url.startswith("sqlite"):
        file = acquire(settings)
        if file is None:
            words = f"a worker is already running here (process {holder(settings)})"
            raise Waiting(words, "let it work; several workers need PostgreSQL (AMC_DATABASE_URL)")
        return Seat(ALONE, None, file)
    from orchestrator.runs.presence import Presence  # its driver is slow to import

    presence = Presence(settings)
    presence.require_shared_evidence(settings)
    presence.guard()
    return Seat(presence.name, presence)


def path(settings: Settings) -> Path:
    """The lock's file, on SQLite."""
    return Path(f"{settings.database_url.partition(':///')[2]}.worker")


def acquire(settings: Settings) -> IO[str] | None:
    """The lock, held until the returned file is closed or the process ends; None when another holds it."""
    file = path(settings).open("a+")
    deadline = time.monotonic() + PROBE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                return None
            time.sleep(0.05)
        else:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file


def holder(settings: Settings) -> str | None:
    """The process id of the worker, on PostgreSQL all workers' names; None when there is none."""
    if not settings.database_url.startswith("sqlite"):
        from orchestrator.runs.presence import living

        return ", ".join(living(settings)) or None
    try:
        file = path(settings).open()
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip() or "unknown"
    return None


def log(settings: Settings) -> Path:
    """What a worker in the background says."""
    return settings.home / "worker.log"


def start_worker(settings: Settings) -> None:
    """Start a worker in the background, in a session of its own, unless one is there."""
    if holder(settings) is not None:
        return
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log(settings).open("ab") as file:
        subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli.main", "worker", "--until-idle"],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
