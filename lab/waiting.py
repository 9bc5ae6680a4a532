"""Commands and waits: each has a deadline on the wall clock and says what it waited for."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from lab.errors import LabError, MachineLacks

T = TypeVar("T")

TIED = ("setpriv", "--pdeathsig", "KILL")
"""Before every command: it dies with us, by kill -9 too. An orphaned `rm` could meet the next lab's files."""


class Stopped(LabError):
    """Another part of the same command failed or was interrupted; this part gave up for that."""


def wait_until(
    condition: Callable[[], T | None],
    what: str,
    seconds: float,
    stop: threading.Event | None = None,
    every: float = 0.05,
) -> T:
    """The first true answer of `condition`; LabError after `seconds`, Stopped when `stop` is set."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if stop is not None and stop.is_set():
            raise Stopped(f"stopped while waiting for {what}")
        if time.monotonic() >= deadline:
            raise LabError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)


def run(
    command: Sequence[str | Path],
    what: str,
    seconds: float = 60,
    text_in: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Standard output of `command`; LabError with its last words when it fails or takes too long."""
    if shutil.which(command[0]) is None:
        raise MachineLacks(
            f"{what}: the program {command[0]} is not installed", "amc lab doctor names the packages"
        )
    try:
        done = subprocess.run(
            [*TIED, *(str(word) for word in command)],
            input=text_in,
            stdin=subprocess.DEVNULL if text_in is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{what}: waited {seconds:.0f} s for `{command[0]}`") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
        raise LabError(f"{what}: `{command[0]}` ended with {done.returncode}\n" + "\n".join(words))
    return done.stdout
