"""No wait is endless, and each says what it waited for."""

import os
import threading
import time
from pathlib import Path

import pytest

from lab.errors import LabError, MachineLacks
from lab.locks import file_lock
from lab.waiting import Stopped, run, wait_until


def test_a_wait_ends_at_its_deadline_with_words() -> None:
    """The condition that never comes true is named."""
    started = time.monotonic()
    with pytest.raises(LabError, match=r"waited 0 s for the moon"):
        wait_until(lambda: False, "the moon", 0.2)
    assert 0.2 <= time.monotonic() - started < 2


def test_a_wait_is_given_up_when_another_part_failed() -> None:
    """The stop event ends it long before its deadline."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped, match="the moon"):
        wait_until(lambda: False, "the moon", 60, stop)


def test_a_failing_command_brings_its_last_words() -> None:
    """Exit code and standard error are in the message."""
    with pytest.raises(LabError, match=r"(?s)trying it.*ended with 3.*no such luck"):
        run(["sh", "-c", "echo no such luck >&2; exit 3"], "trying it")


def test_a_slow_command_is_ended_at_its_deadline() -> None:
    """Not waited for longer than allowed."""
    with pytest.raises(LabError, match=r"trying it: waited 0 s"):
        run(["sleep", "60"], "trying it", seconds=0.3)


def test_a_missing_program_is_the_machines_fault() -> None:
    """The error's class is the one that says so."""
    with pytest.raises(MachineLacks, match="no-such-program"):
        run(["no-such-program"], "trying it")


def test_a_command_dies_with_us(tmp_path: Path) -> None:
    """kill -9 of the process that runs it ends it too."""
    pid_file = tmp_path / "pid"
    child = os.fork()
    if child == 0:
        try:
            run(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 60"], "sleeping", 60)
        finally:
            os._exit(1)
    pid = wait_until(lambda: pid_file.exists() and pid_file.read_text().strip(), "the command to start", 10)
    os.kill(child, 9)
    os.waitpid(child, 0)

    def over() -> bool:
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rsplit(")")[-1].split()[0] == "Z"

    wait_until(over, f"process {pid} to die with its parent", 5)


def test_a_lock_says_whom_it_waits_for_and_dies_with_its_holder(tmp_path: Path) -> None:
    """Who waits is told the holder's process, gets the lock after kill -9 of it, and may delete the file."""
    path = tmp_path / "lock"
    child = os.fork()
    if child == 0:
        try:
            with file_lock(path, "it", 5, print):
                (tmp_path / "held").touch()
                time.sleep(60)
        finally:
            os._exit(1)
    wait_until((tmp_path / "held").exists, "the holder", 10)
    said: list[str] = []
    with pytest.raises(LabError, match="waited 0 s for it"), file_lock(path, "it", 0.2, said.append):
        pass
    assert said == [f"waiting for it (process {child})"]
    os.kill(child, 9)
    os.waitpid(child, 0)
    with file_lock(path, "it", 5, said.append):
        path.unlink()
    with file_lock(path, "it", 5, said.append):
        assert path.exists()
