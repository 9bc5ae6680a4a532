"""The recovered server's side: settings of a replay, when it has ended, what is set aside and where."""

import errno
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PLAN: dict[str, Any] = {
    "timeline": 3,
    "to_end": True,
    "target": {"time": None, "mark": None},
    "received": {"lsn": "0/5000060", "time": "2026-03-01T10:00:02+00:00"},
}


@pytest.fixture
def replay(recover_program: Callable[[str], ModuleType]) -> ModuleType:
    return recover_program("replay")


def test_settings_of_earlier_recoveries_do_not_stay(replay: ModuleType, tmp_path: Path) -> None:
    """An old target in the backed-up cluster would stop this replay; the cluster's own settings are kept."""
    own = tmp_path / "postgresql.auto.conf"
    own.write_text("work_mem = '8MB'\nrecovery_target_time = '2020-01-01'\nrestore_command = 'x'\n")
    replay.prepare(tmp_path, PLAN, Path("/w"))
    text = own.read_text()
    assert "work_mem = '8MB'" in text and "2020" not in text
    assert "recovery_target_timeline = '3'" in text and "recovery_target_time =" not in text
    assert (tmp_path / "standby.signal").exists()
    replay.prepare(tmp_path, PLAN, Path("/w"))
    assert own.read_text() == text
    assert replay.without_settings(text) == "work_mem = '8MB'\n"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (
            {"time": "2026-03-01T10:00:00+00:00", "mark": None},
            "recovery_target_time = '2026-03-01T10:00:00+00:00'",
        ),
        ({"time": None, "mark": "amc-1"}, "recovery_target_name = 'amc-1'"),
    ],
)
def test_a_target_is_named(replay: ModuleType, target: dict[str, Any], line: str) -> None:
    """And replay waits there, inclusive."""
    text = replay.settings({**PLAN, "to_end": False, "target": target}, Path("/w"))
    assert line in text and "recovery_target_action = 'pause'" in text and "inclusive = 'on'" in text


def test_replay_is_over_only_past_the_last_record_received(replay: ModuleType) -> None:
    """The position is where that record begins: being there is not having it."""
    assert not replay._is_there(PLAN, {"position": 0x5000060, "paused": False})
    assert replay._is_there(PLAN, {"position": 0x5000061, "paused": False})
    early = {**PLAN, "to_end": False}
    assert not replay._is_there(early, {"position": 0x9000000, "paused": False})
    assert replay._is_there(early, {"position": 0, "paused": True})


def test_the_same_again_and_again_is_the_end(replay: ModuleType) -> None:
    """What was asked before the last step does not count, and other names are progress."""
    again = ["a", "b"] * 4
    assert replay.at_end(again, 0)
    assert not replay.at_end(again, 1)
    assert not replay.at_end([*again[:-1], "c"], 0)


def test_the_last_moment_before_damaged_wal_can_be_asked_for(replay: ModuleType) -> None:
    """As the failed run proposes it; an earlier end is still too short, and so is the newest state."""
    target = {"time": "2026-03-01T10:00:00.5+00:00", "mark": None}
    asked = {**PLAN, "to_end": False, "target": target}
    assert replay._accepts(asked, {"time": "2026-03-01T10:00:00.5+00:00"})
    assert not replay._accepts(asked, {"time": "2026-03-01T10:00:00.4+00:00"})
    assert not replay._accepts(PLAN, {"time": "2026-03-01T10:00:00.5+00:00"})


def test_falling_short_says_the_seconds_lost_and_the_way_on(replay: ModuleType) -> None:
    """In one sentence for a person at night."""
    words = replay._short(PLAN, {"position": 0x4FFFFFF, "time": "2026-03-01T10:00:00.5+00:00"})
    assert "1.5 s would be lost" in words and "--to '2026-03-01T10:00:00.5+00:00'" in words


def test_the_way_in_gives_rsync_into_one_folder_to_one_address(
    recover_program: Callable[[str], ModuleType],
) -> None:
    """No shell, no forwarding, no reading, and not for long."""
    door = recover_program("door")
    line = door.key_line("ssh-ed25519 AAAA backup1", "10.0.0.2", datetime(2026, 3, 1, 14, 30, 5))  # noqa: DTZ001
    assert line == (
        'restrict,from="10.0.0.2",expiry-time="20260301143005",'
        'command="/usr/bin/rrsync -wo -no-lock /run/amc-recover/incoming" ssh-ed25519 AAAA backup1\n'
    )


@pytest.fixture
def place(
    recover_program: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    here = recover_program("here")
    for name, path in (("DATA", "pg/main"), ("FILES", "srv/files"), ("RUNS", "runs"), ("SET_ASIDE", "aside")):
        monkeypatch.setattr(here, name, tmp_path / path)
    for path in ("pg/main", "srv/files", "runs/r1"):
        (tmp_path / path).mkdir(parents=True)
    module = recover_program("place")
    monkeypatch.setattr(module, "stop_database", lambda: None)
    return module


def test_what_is_set_aside_is_noted_and_comes_back(place: ModuleType, tmp_path: Path) -> None:
    """And what was there then is set aside in turn."""
    (tmp_path / "srv/files/old").touch()
    place.set_aside("r1", "files", tmp_path / "srv/files")
    assert not (tmp_path / "srv/files").exists()
    [item] = place.noted("r1")
    assert item["there"] and Path(item["to"], "old").exists()
    (tmp_path / "srv/files").mkdir()
    (tmp_path / "srv/files/new").touch()
    place.put_back("r2", "r1")
    assert (tmp_path / "srv/files/old").exists()
    assert Path(place.noted("r2")[0]["to"], "new").exists()
    assert not place.noted("r1")[0]["there"]


def test_a_part_is_done_once_however_often_a_run_is_begun(place: ModuleType) -> None:
    """A killed run finds what it has done."""
    done: list[str] = []

    def part() -> dict[str, Any]:
        done.append("x")
        return {"found": 1}

    assert place.Phases("r1").once("part", part)["found"] == 1
    assert place.Phases("r1").once("part", part)["found"] == 1
    assert done == ["x"]


def test_a_killed_rename_goes_on_where_folders_can_not_be_renamed(
    place: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On overlayfs a folder is copied: half a copy is thrown away, a whole one only loses its source."""
    source, target = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    (source / "file").write_text("1")
    (tmp_path / "to.part").mkdir()
    (tmp_path / "to.part/half").touch()
    rename = Path.rename

    def refuse(self: Path, to: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, "no")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse)
    place.move(source, target)
    assert [path.name for path in target.iterdir()] == ["file"] and not source.exists()
    source.mkdir()
    place.move(source, target)  # killed before the source was gone
    assert (target / "file").exists() and not source.exists()


def test_a_file_system_that_is_too_small_is_refused_with_what_would_help(
    recover_program: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """Places on one file system add up; a folder that is not there yet counts where it will be."""
    look = recover_program("look")
    assert look.too_small({tmp_path / "a/b": 1, tmp_path / "c": 1}, 1) == []
    [words] = look.too_small({tmp_path / "a/b": 1 << 60, tmp_path / "c": 1}, 1)
    assert "MiB free" in words and "needs" in words


def test_the_report_reads_what_lies_in_the_runs_folder(
    place: ModuleType, recover_program: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """Also of a run that failed half-way; written again only when it says something new."""
    report = recover_program("report")
    folder = tmp_path / "runs/r1"
    attempt = {"started": "2026-03-01T10:00:00+00:00", "ended": "2026-03-01T10:00:09+00:00", "rc": 1}
    outcome = {"problem": "replay ended", "reached": {"lsn": "0/1", "time": None}, "lost_seconds": 2.5}
    (folder / "recover-place.json").write_text(
        json.dumps({"unit": "amc-r1-recover-place", "attempts": [attempt], "outcome": outcome})
    )
    (folder / "recover-plan.json").write_text(json.dumps({**PLAN, "only": "", "put_back": ""}))
    facts = {"server": "s", "finished": False, "problems": [], "protection": None, "send": None}
    first = report.keep("r1", dict(facts))
    assert first["changed"] and first["report"]["problems"] == ["replay ended"]
    assert first["report"]["lost_seconds"] == 2.5 and first["report"]["from_timeline"] == 3
    assert first["report"]["unit"]["attempts"] == [attempt]
    assert not report.keep("r1", dict(facts))["changed"]
