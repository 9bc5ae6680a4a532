"""protection.py and slot.py: when a server is unprotected, and who may say so."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
BACKUP = {"id": "20261124T020000", "ended": "2026-11-24T02:00:00+00:00"}
MIB = 2**20

Load = Callable[[str], ModuleType]


def slot(load: Load, **other: Any) -> Any:
    """A place where all is well, but for `other`."""
    well = {"status": "reserved", "streaming": True, "behind": 0, "kept": MIB, "limit": 8192 * MIB}
    return load("slot").Slot(**{**well, "segment": "000000010000000000000007", "lsn": "0/7000000", **other})


def reasons(load: Load, **other: Any) -> list[str]:
    facts = {"backups": [BACKUP], "gaps": [], "slot": slot(load), "seen": NOON, "moment": NOON}
    found: list[str] = load("protection").reasons(**{**facts, "rpo_seconds": 60, **other})
    return found


def test_a_backup_and_a_stream_protect(backup_program: Load) -> None:
    assert reasons(backup_program) == []


def test_without_a_backup_nothing_does(backup_program: Load) -> None:
    assert reasons(backup_program, backups=[]) == ["there is no base backup that can be restored"]


@pytest.mark.parametrize("status", ["lost", "missing"])
def test_a_place_that_is_gone(backup_program: Load, status: str) -> None:
    """It counts at once, whenever the last change came."""
    (why,) = reasons(backup_program, slot=slot(backup_program, status=status, streaming=False))
    assert "slot" in why or "place is lost" in why


@pytest.mark.parametrize(("seconds", "count"), [(60, 0), (61, 1)])
def test_a_stream_that_stopped_counts_from_the_contracts_rpo(
    backup_program: Load, seconds: int, count: int
) -> None:
    seen = NOON - timedelta(seconds=seconds)
    for state, words in (
        (slot(backup_program, streaming=False), "nothing receives"),
        (None, "does not answer"),
    ):
        found = reasons(backup_program, slot=state, seen=seen)
        assert len(found) == count and all(words in why for why in found)


def test_a_stream_that_never_was(backup_program: Load) -> None:
    (why,) = reasons(backup_program, slot=slot(backup_program, status="unused", streaming=False), seen=None)
    assert why == "changes of this server are not here: nothing receives them"


def test_a_gap_counts_until_the_next_backup(backup_program: Load) -> None:
    gap = {"at": "2026-11-24T03:00:00+00:00", "since": "2026-11-24T02:30:00+00:00", "why": "away"}
    assert "2026-11-24T02:30:00" in reasons(backup_program, gaps=[gap])[0]
    after = {"id": "20261124T040000", "ended": "2026-11-24T04:00:00+00:00"}
    assert reasons(backup_program, gaps=[gap], backups=[BACKUP, after]) == []


@pytest.mark.parametrize(
    ("kept", "status", "limit", "alarmed"),
    [
        (1, "reserved", 8192, False),
        (4096, "reserved", 8192, False),
        (4097, "reserved", 8192, True),
        (1, "extended", 8192, True),
        (9000, "unreserved", 8192, True),
        (9000, "reserved", -1, False),  # no limit
        (None, "unused", 8192, False),
    ],
)
def test_the_alarm_comes_before_the_loss(
    backup_program: Load, kept: int | None, status: str, limit: int, alarmed: bool
) -> None:
    state = slot(backup_program, kept=kept and kept * MIB, limit=limit * MIB, status=status)
    assert bool(backup_program("slot").alarm(state)) == alarmed


@pytest.fixture
def pair(backup_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    pairs = backup_program("pair")
    monkeypatch.setattr(pairs, "STATES", tmp_path)
    (tmp_path / "erp1").mkdir()
    return pairs.Pair("erp1", {})


def kept(pair: Any) -> Any:
    return json.loads((pair.folder / "protection.json").read_text())


def test_since_stays_while_the_state_does(backup_program: Load, pair: Any) -> None:
    settle = backup_program("protection").settle
    (pair.folder / "protection.json").write_text(
        json.dumps({"state": "unprotected", "since": "2026-11-24T01:00:00+00:00", "why": "x", "by": "watch"})
    )
    assert settle(pair, ["y"])["since"] == "2026-11-24T01:00:00+00:00"
    assert kept(pair)["why"] == "y"
    assert settle(pair, [])["since"] != "2026-11-24T01:00:00+00:00"
    assert kept(pair)["state"] == "protected"


def test_what_a_recovery_says_stands_until_the_next_backup(backup_program: Load, pair: Any) -> None:
    protection = backup_program("protection")
    said = {"state": "unprotected", "since": "2026-11-24T01:00:00+00:00", "why": "recovered"}
    (pair.folder / "protection.json").write_text(json.dumps(said))
    assert protection.settle(pair, []) == said == kept(pair)
    protection.backed_up(pair)
    assert kept(pair)["state"] == "protected"


def test_only_backups_that_are_there_and_not_bad_count(
    backup_program: Load, pair: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_program("pair"), "HOME", tmp_path / "barman")
    for name in ("1", "2"):
        (pair.catalogue / "base" / name).mkdir(parents=True)
    for name in ("0", "1", None, "2"):
        backup_program("pair").append_line(pair.folder / "backups.jsonl", {"id": name})
    (pair.folder / "bad_backups.json").write_text('{"2": "flipped"}')
    assert [each["id"] for each in backup_program("protection").records(pair)] == ["1"]
