"""One worker at a time: an advisory lock on a file, which the kernel frees however the worker ends.

On SQLite the file stands beside the database, so that two homes on one database can't have two workers.
"""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from orchestrator.settings import Settings

PROBE_SECONDS = 2.0  # a reader that only looks holds the lock for an instant: try that long


def path(settings: Settings) -> Path:
    """The lock's file."""
    prefix, _, database = settings.database_url.partition(":///")
    return Path(f"{database}.worker") if prefix == "sqlite" else settings.home / "worker.lock"


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
    """The process id of the worker that holds the lock, None when none does."""
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
