"""Locks that die with their holder: no stale lock can remain after kill -9."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.waiting import wait_until


@contextmanager
def file_lock(path: Path, what: str, seconds: float) -> Iterator[None]:
    """Hold `path` against other processes; it ends with the process that holds it.

    The file may be deleted by its holder: who waited for a deleted file takes the new one.
    """

    def attempt() -> int | None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except OSError:
            pass
        os.close(descriptor)
        return None

    descriptor = wait_until(lambda: attempt() or 0, what, seconds)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def network_lock(seconds: float = 30) -> Iterator[None]:
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
