"""run_backup.py and pair.py: the report of an ordered backup, and records that survive a crash."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
STEP = "backup-erp1"


@pytest.fixture
def run(backup_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    program = backup_program("run_backup")
    monkeypatch.setattr(program, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(backup_program("pair"), "STATES", tmp_path / "states")
    return program


def asked(run_id: str) -> argparse.Namespace:
    return argparse.Namespace(server="erp1", run=run_id, step=STEP)


def leave(run: ModuleType, run_id: str, code: int | None) -> Path:
    """A step's state as step.py leaves it."""
    folder: Path = run.RUNS / run_id
    folder.mkdir(parents=True)
    attempt = {"started": "2026-11-24T02:00:00+00:00", "ended": "2026-11-24T02:01:00+00:00", "rc": code}
    outcome = {"changed": True, "backup": {"id": "20261124T020000", "ok": code == 0}}
    state = {"unit": f"amc-{run_id}-{STEP}", "attempts": [attempt], "outcome": outcome}
    (folder / f"{STEP}.json").write_text(json.dumps(state))
    return folder


@pytest.mark.parametrize(
    ("run_id", "code", "forgotten"),
    [("by-hand", 0, True), ("by-hand", 1, False), ("by-hand", None, False), ("r1", 0, False)],
)
def test_only_a_run_by_hand_that_is_done_begins_anew(
    run: ModuleType, run_id: str, code: int | None, forgotten: bool
) -> None:
    folder = leave(run, run_id, code)
    assert run.anew(asked(run_id)) == {"changed": forgotten}
    assert (folder / f"{STEP}.json").exists() is not forgotten


def test_a_report_is_written_once_and_names_the_unit(run: ModuleType) -> None:
    folder = leave(run, "r1", 1)
    assert run.report(asked("r1")) == {"changed": True}
    assert run.report(asked("r1")) == {"changed": False}
    report = json.loads((folder / "erp1/backup.json").read_text())
    assert (report["server"], report["activity"]) == ("erp1", "backup")
    assert report["backup"] == {"id": "20261124T020000", "ok": False}
    assert report["unit"]["name"] == f"amc-r1-{STEP}"
    assert report["unit"]["attempts"][0]["rc"] == 1


def test_a_report_of_a_step_that_never_began_says_so(run: ModuleType) -> None:
    assert run.report(asked("r2")) == {"changed": True}
    report = json.loads((run.RUNS / "r2/erp1/backup.json").read_text())
    assert (report["backup"], report["unit"]) == (None, None)


def test_a_line_that_a_crash_cut_off_spoils_no_other(backup_program: Load, tmp_path: Path) -> None:
    pairs: Any = backup_program("pair")
    path = tmp_path / "backups.jsonl"
    pairs.append_line(path, {"id": 1})
    path.write_text(path.read_text() + '{"id": 2, "en')
    assert pairs.read_lines(path) == [{"id": 1}]
    pairs.append_line(path, {"id": 3})
    assert pairs.read_lines(path) == [{"id": 1}, {"id": 3}]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_server_that_is_not_paired_is_named_with_those_that_are(
    backup_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: Any = backup_program("pair")
    monkeypatch.setattr(pairs, "STATES", tmp_path)
    (tmp_path / "erp1").mkdir()
    (tmp_path / "erp1/server.json").write_text('{"server": "erp1"}')
    assert pairs.read("erp1").known == {"server": "erp1"}
    with pytest.raises(pairs.Trouble, match=r"erp2 is not paired with this backup server \(erp1\)"):
        pairs.read("erp2")
