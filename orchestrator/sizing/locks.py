"""The engine's locks on a stack: ours from a dead engine is taken away, anybody else's never.

The file backend keeps a lock as a file that tells process id, machine and moment. One is provably ours
and stale when an engine with that number was noted down by this installation just before that moment and
has ended, and no process has that number now. Backends elsewhere are left alone: the engine itself says
who holds a lock there.
"""

import getpass
import json
import re
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.errors import Waiting
from orchestrator.settings import Settings
from orchestrator.sizing import engine

PROJECT = "mems"
# An engine takes its lock within seconds of its start; a minute's doubt is the machine's, under load.
WITHIN_S = 120


@dataclass(frozen=True)
class Lock:
    """Who holds a stack, and since when."""

    file: Path
    pid: int
    user: str
    machine: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.user} on {self.machine} (process {self.pid}) since {self.since:%Y-%m-%d %H:%M:%S %Z}"


def notes(settings: Settings) -> Path:
    """Where every engine of this installation is noted."""
    return settings.pulumi_dir / "engines"


def of(settings: Settings, customer: str) -> list[Lock]:
    """The locks on a customer's stack; none where the state is no folder of this machine."""
    folder = settings.pulumi_backend.removeprefix("file://")
    if folder == settings.pulumi_backend:
        return []
    found = []
    for file in sorted(Path(folder).glob(f".pulumi/locks/organization/{PROJECT}/{customer}/*.json")):
        try:
            said = json.loads(file.read_text())
        except FileNotFoundError:
            continue
        except ValueError:  # being written, or cut off: nobody's that we know
            said = {}
        found.append(
            Lock(
                file,
                int(said.get("pid", 0)),
                str(said.get("username", "somebody")),
                str(said.get("hostname", "an unknown machine")),
                _moment(said.get("timestamp"), file),
            )
        )
    return found


def clear(settings: Settings, customer: str, patience: float = engine.PATIENCE_S) -> list[Lock]:
    """Take away what dead engines of ours left, after waiting for living ones; what was taken away.

    Waiting (exit code 6) when somebody else holds the stack, or an engine of ours does not end.
    """
    gone = []
    for lock in of(settings, customer):
        owner = _owner(settings, lock)
        if owner is not None and not engine.wait_for(owner, patience):
            raise _held(customer, lock, "an engine of this installation is still at work: wait for it")
        if not lock.file.exists():
            continue
        if owner is None or engine.any_lives(lock.pid):
            raise _held(
                customer, lock, "wait for it; if that process is gone for certain, run `pulumi cancel`"
            )
        lock.file.unlink(missing_ok=True)
        gone.append(lock)
    return gone


def settle(settings: Settings, patience: float = 10) -> None:
    """Let an engine that lost our process while it started end: it has no program any more."""
    now = time.time()
    for each in engine.noted(notes(settings)):
        if now - each.at < WITHIN_S:
            engine.wait_for(each, patience)


def _owner(settings: Settings, lock: Lock) -> engine.Noted | None:
    """The engine of ours that took the lock."""
    if (lock.user, lock.machine) != (getpass.getuser(), socket.gethostname()):
        return None
    taken = lock.since.timestamp()
    for each in reversed(engine.noted(notes(settings))):
        if each.pid == lock.pid and each.at - 1 <= taken <= each.at + WITHIN_S:
            return each
    return None


def _held(customer: str, lock: Lock, mend: str) -> Waiting:
    return Waiting(f"the stack {customer} is held by {lock}", mend)


def _moment(text: object, file: Path) -> datetime:
    """Go writes up to nine digits of a second, Python reads six."""
    parts = re.fullmatch(r"(.+T[0-9:]{8})(?:\.([0-9]+))?(Z|[+-][0-9:]+)", str(text))
    if not parts:
        return datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    zone = parts[3].replace("Z", "+00:00")
    return datetime.fromisoformat(f"{parts[1]}.{(parts[2] or '0')[:6].ljust(6, '0')}{zone}")
