"""Which processes live: real ones."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from orchestrator.runs.processes import Process, carrying, end

MARK = f"AMC_TEST_{os.getpid()}"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "60"], env={MARK: "x", "PATH": os.environ["PATH"]})
    yield child
    child.kill()
    child.wait()


def of(child: "subprocess.Popen[bytes]") -> Process:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for process in carrying(MARK, "x"):
            if process.pid == child.pid:
                return process
        time.sleep(0.02)
    raise AssertionError("the process was not found by its variable within 5 s")


def test_a_living_process_lives_and_a_killed_one_does_not(sleeper: "subprocess.Popen[bytes]") -> None:
    """Also before its parent has fetched its exit code (a zombie)."""
    process = of(sleeper)
    assert process.lives()
    assert Process.from_json(process.as_json()) == process
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.lives()


def test_another_process_with_the_same_number_is_another_process() -> None:
    """The start time tells them apart."""
    own = Process.of(os.getpid())
    assert own.lives()
    assert not Process(own.pid, own.started - 1).lives()


def test_end_waits_then_terminates(sleeper: "subprocess.Popen[bytes]") -> None:
    """A process that does not end by itself is told to."""
    process = of(sleeper)
    assert end([process], patience=0.3) == []
    assert sleeper.wait(timeout=5) == -15


def test_end_kills_what_does_not_listen() -> None:
    """SIGKILL after SIGTERM was ignored."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], env={MARK: "x"}, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert end([of(child)], patience=0.3) == []
        assert child.wait(timeout=5) == -9
