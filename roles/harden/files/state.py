"""Where the set's state lies on the server, written whole or not at all.

/var/lib/amc/harden/pending/     what was before, while a set waits to be confirmed; its armed.json is the
                                 one mark that says so: written last, removed first
/var/lib/amc/harden/originals/   each managed file as it was before we first changed it, and index.json
/var/lib/amc/runs/<run>/harden-state.json   the run's attempts
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HOME = Path("/var/lib/amc/harden")
PENDING = HOME / "pending"
ARMED = PENDING / "armed.json"
ORIGINALS = HOME / "originals"
RUNS = Path("/var/lib/amc/runs")
LOCK_SECONDS = 80
"""Longer than any apply or undo takes."""


class Busy(Exception):
    """Another apply, undo or confirm works; it did not end in time."""


def now() -> str:
    """UTC, with offset."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read(path: Path) -> Any:
    """None when there is no such file."""
    return json.loads(path.read_text()) if path.exists() else None


def write(path: Path, document: object) -> None:
    """All or nothing, also through a power cut."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def run_state(run: str) -> Path:
    """The run's own record."""
    return RUNS / run / "harden-state.json"


def close_attempt(run: str, outcome: str, why: str, **more: Any) -> None:
    """Note how the run's last attempt ended: confirmed or reverted."""
    record = read(run_state(run)) or {"attempts": []}
    if record["attempts"]:
        record["attempts"][-1].update(ended=now(), outcome=outcome, why=why, **more)
        write(run_state(run), record)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One at a time: apply, confirm, undo. Raises Busy after LOCK_SECONDS."""
    HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as file:
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > until:
                    raise Busy(f"waited {LOCK_SECONDS} s for another apply or undo") from None
                time.sleep(0.2)
        yield
