"""Which local processes live, told by /proc: a pid alone is no proof, a pid with its start time is."""

import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PROC = Path("/proc")


def boot_id() -> str:
    """Another boot id means that every process of before is gone."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def host_id() -> str:
    """This machine, the same after a reboot."""
    machine_id = Path("/etc/machine-id")
    return (machine_id.read_text().strip() if machine_id.exists() else "") or socket.gethostname()


@dataclass(frozen=True)
class Process:
    """A process of this boot; `started` in clock ticks since boot (proc(5), stat, field 22)."""

    pid: int
    started: int

    @staticmethod
    def of(pid: int) -> "Process":
        """The living process of that number; ProcessLookupError when there is none."""
        started = _started(pid)
        if started is None:
            raise ProcessLookupError(f"there is no process {pid}")
        return Process(pid, started)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Process":
        """What `as_json` wrote."""
        return Process(int(data["pid"]), int(data["started"]))

    def as_json(self) -> dict[str, int]:
        """For a file that says who is at work."""
        return asdict(self)

    def lives(self) -> bool:
        """False when it ended, is a zombie, or another process has its number by now."""
        return _started(self.pid) == self.started


def _started(pid: int) -> int | None:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in parentheses and may hold anything, so read from the last one on.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def carrying(variable: str, value: str) -> list[Process]:
    """Processes started with this environment variable; those of other users can't be read.

    Left out: those in containers, which this machine's /proc shows too, but which are servers of their own;
    and an ssh master (ControlPersist), which only keeps a connection open and ends by itself.
    """
    mark = f"{variable}={value}".encode()
    own_namespace = (PROC / "self/ns/pid").readlink()
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if (entry / "ns/pid").readlink() != own_namespace:
                continue
            if mark not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            name = (entry / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        started = _started(int(entry.name))
        if started is not None and name != "ssh":
            found.append(Process(int(entry.name), started))
    return found


def end(processes: list[Process], patience: float, *, at_once: bool = False) -> list[Process]:
    """Wait `patience` seconds for them to end (not when `at_once`), then TERM, then KILL, as long after each.

    Returns those that live on.
    """
    signs = (signal.SIGTERM, signal.SIGKILL)
    for sign in signs if at_once else (None, *signs):
        for process in processes:
            if sign is not None and process.lives():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, sign)
        deadline = time.monotonic() + patience
        while any(process.lives() for process in processes):
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        else:
            return []
    return [process for process in processes if process.lives()]
