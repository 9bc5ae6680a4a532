"""roles/backup_server/files/drill.py: which mark is drawn, and which proof is kept."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def drill(backup_program: Callable[[str], ModuleType]) -> ModuleType:
    return backup_program("drill")


@pytest.fixture
def pair(backup_program: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server with 20 marks, one an hour."""
    pairs = backup_program("pair")
    monkeypatch.setattr(pairs, "STATES", tmp_path)
    made = pairs.Pair("x", {})
    made.folder.mkdir()
    for hour in range(20):
        record = {"at": f"2026-11-24T{hour:02}:00:00+00:00", "restore_point": f"p{hour}"}
        pairs.append_line(made.folder / "marks.jsonl", record)
    return made


def ways(drill: ModuleType, monkeypatch: pytest.MonkeyPatch, possible: set[str]) -> None:
    """There is a way to these marks only."""

    def plan(_pair: object, point: str) -> dict[str, Any]:
        return {"candidates": [{"id": "b"}]} if point in possible else {"refused": f"no way to {point}"}

    monkeypatch.setattr(drill, "plan_for", plan)


def test_the_newest_mark_that_there_is_a_way_to(
    drill: ModuleType, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """p19 was lost with a segment of WAL."""
    ways(drill, monkeypatch, {"p18", "p3"})
    assert drill.choose(pair, "newest", 5)["mark"]["restore_point"] == "p18"


def test_a_random_mark_is_the_seeds(drill: ModuleType, pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed draws the same mark; seeds draw different ones, not only the newest."""
    ways(drill, monkeypatch, {f"p{hour}" for hour in range(20)})
    drawn = [drill.choose(pair, "random", seed)["mark"]["restore_point"] for seed in range(30)]
    assert drawn == [drill.choose(pair, "random", seed)["mark"]["restore_point"] for seed in range(30)]
    assert len(set(drawn)) > 10


def test_without_a_way_it_says_why(drill: ModuleType, pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of the last that was tried; it does not try hundreds."""
    ways(drill, monkeypatch, set())
    assert "no way to p10" in drill.choose(pair, "newest", 0)["refused"]


def report(ended: str) -> dict[str, Any]:
    return {
        "at": "2026-11-24T12:00:00+00:00",
        "run": "r",
        "backup_id": ended,
        "backup_ended": f"{ended}T00:00:00+00:00",
        "moment": "",
        "rpo_seconds": 0.1,
        "rto_seconds": 60.0,
        "figures_equal": True,
        "ok": True,
    }


def test_the_proof_of_a_younger_backup_stays(drill: ModuleType, tmp_path: Path) -> None:
    """A drill of a random old moment does not take away what the last one of the newest has proven."""
    path = tmp_path / "proven.json"
    days = [("2026-11-20", "2026-11-20"), ("2026-11-10", "2026-11-20"), ("2026-11-23", "2026-11-23")]
    for ended, kept in days:
        drill.prove(path, report(ended))
        assert json.loads(path.read_text())["backup_id"] == kept
    assert "ok" not in json.loads(path.read_text())
