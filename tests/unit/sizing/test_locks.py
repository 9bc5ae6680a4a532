"""Whose lock it is: ours from a dead engine goes, everybody else's stays."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from orchestrator import settings
from orchestrator.errors import Waiting
from orchestrator.settings import Settings
from orchestrator.sizing import engine, locks

Lock = Callable[..., Path]


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    chosen = settings.read({"AMC_HOME": str(tmp_path)})
    chosen.pulumi_dir.mkdir()
    return chosen


@pytest.fixture
def lock(here: Settings) -> Lock:
    """A lock of the engine on the stack acme, as its file backend writes it."""

    def made(pid: int, at: datetime | None = None, **more: Any) -> Path:
        file = here.pulumi_dir / ".pulumi/locks/organization/mems/acme/1f0c.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        when = f"{at or datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}123Z"  # Go's nanoseconds
        said = {
            "pid": pid,
            "username": getuser(),
            "hostname": socket.gethostname(),
            "timestamp": when,
            **more,
        }
        file.write_text(json.dumps(said))
        return file

    return made


def dead_engine(here: Settings) -> int:
    """An engine that was noted, as every engine is, and has ended."""
    ended = engine.run(["/bin/sh", "-c", "echo $$"], "/", os.environ, locks.notes(here))
    (noted,) = engine.noted(locks.notes(here))
    assert ended == (0, f"{noted.pid}\n", "")
    assert not noted.lives()
    return noted.pid


def test_a_dead_engine_of_ours_leaves_nothing(here: Settings, lock: Lock) -> None:
    """Taken away, and told."""
    file = lock(dead_engine(here))
    (gone,) = locks.clear(here, "acme")
    assert (gone.file, file.exists()) == (file, False)
    assert locks.clear(here, "acme") == []


@pytest.mark.parametrize(
    "other",
    [
        {"hostname": "elsewhere"},
        {"username": "ada"},
        {"at": datetime.now(UTC) - timedelta(hours=1)},  # before our engine started: another had its number
        {"at": datetime.now(UTC) + timedelta(hours=1)},
    ],
)
def test_a_dead_process_that_was_not_ours_is_not_touched(
    here: Settings, lock: Lock, other: dict[str, Any]
) -> None:
    """The same number alone is no proof."""
    file = lock(dead_engine(here), **other)
    with pytest.raises(Waiting, match="the stack acme is held by"):
        locks.clear(here, "acme")
    assert file.exists()


def test_nobody_that_we_noted(here: Settings, lock: Lock) -> None:
    """Who and since when are told."""
    file = lock(2**22 + 1, datetime(2026, 11, 24, 9, 30, tzinfo=UTC))
    with pytest.raises(
        Waiting, match=rf"{getuser()} on .* \(process 4194305\) since 2026-11-24 09:30:00 UTC"
    ):
        locks.clear(here, "acme")
    assert file.exists()


def test_a_living_engine_of_ours_is_waited_for(here: Settings, lock: Lock) -> None:
    """In vain for as long as it lives; once it has ended by itself its lock is taken away."""
    words = [*engine.words_to_note(locks.notes(here)), sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(words) as process:
        try:
            until = time.monotonic() + 20
            while not engine.noted(locks.notes(here)):
                assert time.monotonic() < until
                time.sleep(0.01)
            file = lock(process.pid)
            with pytest.raises(Waiting, match="held by"):
                locks.clear(here, "acme", patience=0.3)
            assert file.exists()
        finally:
            process.kill()
    assert [gone.pid for gone in locks.clear(here, "acme")] == [process.pid]


def test_a_damaged_lock_is_nobodys(here: Settings, lock: Lock) -> None:
    """Cut off while it was written: it stays."""
    file = lock(dead_engine(here))
    file.write_text('{"pid": 12')
    with pytest.raises(Waiting, match="held by somebody on an unknown machine"):
        locks.clear(here, "acme")
    assert file.exists()


def test_another_boot_has_none_of_our_engines(here: Settings) -> None:
    """A living process of the same number and start counts only in the same boot."""
    mine = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    now = engine.Noted(os.getpid(), int(mine[19]), engine.boot_id(), 0)
    assert now.lives()
    assert not engine.Noted(now.pid, now.started, "another", 0).lives()
    assert not engine.Noted(now.pid, now.started + 1, now.boot, 0).lives()


def test_a_state_elsewhere_is_left_to_the_engine(here: Settings) -> None:
    """No file of this machine: it says itself who holds a lock."""
    elsewhere = settings.read({"AMC_HOME": str(here.home), "AMC_PULUMI_BACKEND": "s3://states"})
    assert locks.of(elsewhere, "acme") == []
