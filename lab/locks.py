"""Locks that die with their holder: no stale lock can remain after kill -9."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.waiting import wait_until


@contextlib.contextmanager
def file_lock(path: Path, what: str, seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold `path` against other processes. When another one holds it, `say` that we wait and for whom.

    The file may be deleted by its holder: who waited for a deleted file takes the new one.
    """
    said = False

    def attempt() -> int | None:
        nonlocal said
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        if not said:
            holder = os.read(descriptor, 20).decode(errors="replace")
            said = bool(holder)
            if said:
                say(f"waiting for {what} (process {holder})")
        os.close(descriptor)
        return None

    descriptor = wait_until(attempt, what, seconds)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def network_lock(seconds: float = 60) -> Iterator[None]:
    """Hold this network namespace against all labs of it: choosing a subnet, forwarding.

    An abstract socket has exactly that scope, needs no file and ends with the process.
    """
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def attempt() -> bool:
        try:
            holder.bind("\0amc-lab-network")
        except OSError:
            return False
        return True

    try:
        wait_until(attempt, "another lab on this machine to finish its network setup", seconds)
        yield
    finally:
        holder.close()
