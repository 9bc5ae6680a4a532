"""verify_wal.py and verify.py of roles/backup_server: findings, notes, and which backups are bad."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
AGAIN = "back up again"


@pytest.fixture
def verify_wal(backup_program: Load) -> ModuleType:
    return backup_program("verify_wal")


def archive(verify_wal: ModuleType, numbers: list[int], listed: list[int] | None = None) -> Any:
    wal = verify_wal.wal
    segments = {wal.Segment(1, number) for number in numbers}
    noted = {wal.Segment(1, number) for number in listed or []}
    return verify_wal.Archive({each: Path("x") for each in segments}, segments, {}, noted, wal.SEGMENT_BYTES)


def found(
    verify_wal: ModuleType, there: Any, backups: list[tuple[str, int, int]], gaps: list[Any] | None = None
) -> list[tuple[str, str, bool]]:
    made = [verify_wal.wal.Backup(name, 1, begin, end) for name, begin, end in backups]
    return [
        (each.what, each.backup, each.note) for each in verify_wal.missing(there, made, gaps or [], AGAIN)
    ]


def test_an_unbroken_archive_has_no_finding(verify_wal: ModuleType) -> None:
    """Also when segments before the oldest backup are gone: nobody needs them."""
    assert found(verify_wal, archive(verify_wal, [4, 5, 6, 7]), [("a", 4, 4), ("b", 6, 6)]) == []


def test_wal_of_the_backup_itself_makes_it_bad(verify_wal: ModuleType) -> None:
    """The backup from 4 to 6 without 5 can't be restored at all."""
    assert found(verify_wal, archive(verify_wal, [4, 6, 7]), [("a", 4, 6)]) == [("wal-missing", "a", False)]


def test_wal_between_backups_is_a_gap_and_no_backup_is_bad(verify_wal: ModuleType) -> None:
    """6 is missing after the backup 4: recovery from it ends there; a missing newest one counts too."""
    assert found(verify_wal, archive(verify_wal, [4, 5, 7]), [("a", 4, 4), ("b", 7, 7)]) == [
        ("gap", "", False)
    ]
    assert found(verify_wal, archive(verify_wal, [4, 5], [4, 5, 6]), [("a", 4, 4)]) == [("gap", "", False)]


def test_a_gap_that_the_lost_slot_left_is_a_note_once_a_backup_follows(verify_wal: ModuleType) -> None:
    """Nothing mends it; before the next backup it is a finding."""
    gaps = [{"after": "000000010000000000000005"}]
    there = archive(verify_wal, [4, 5, 8, 9])
    assert found(verify_wal, there, [("a", 4, 4), ("b", 9, 9)], gaps) == [("gap", "", True)]
    assert found(verify_wal, there, [("a", 4, 4)], gaps) == [("gap", "", False)]


def test_a_damaged_segment_makes_the_backup_that_needs_it_bad(verify_wal: ModuleType) -> None:
    """Within a backup's own WAL that backup is bad; elsewhere recovery ends there."""
    wal = verify_wal.wal
    damaged = {wal.Segment(1, 4): "checksum", wal.Segment(1, 7): "checksum"}
    findings = list(verify_wal.damage(damaged, [wal.Backup("a", 1, 4, 5)], wal.SEGMENT_BYTES, AGAIN))
    assert [(each.what, each.backup) for each in findings] == [("wal-damaged", "a"), ("wal-damaged", "")]
    assert all(AGAIN in each.mend and "checksum" in each.words for each in findings)


@pytest.fixture
def reader(verify_wal: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """unreadable() over segments 1 to 14, with a pg_waldump that notes what it is asked to read."""
    asked: list[tuple[int, int]] = []

    def read(_: Path, first: Any, last: Any, __: int) -> dict[Any, str]:
        asked.append((first.number, last.number))
        return {verify_wal.wal.Segment(1, 9): "bad"} if first.number <= 9 <= last.number else {}

    monkeypatch.setattr(verify_wal, "_read_stretch", read)
    files = {}
    for number in range(1, 15):
        segment = verify_wal.wal.Segment(1, number)
        files[segment] = tmp_path / segment.name()
        files[segment].write_text(str(number))
    there = verify_wal.Archive(files, set(files), {}, set(), verify_wal.wal.SEGMENT_BYTES)

    def run(proven: Any, turn: int | None) -> tuple[Any, Any, list[tuple[int, int]]]:
        asked.clear()
        damaged, kept = verify_wal.unreadable(there, proven, turn)
        return damaged, kept, list(asked)

    return run


def test_proven_is_read_again_by_sevenths_and_damaged_each_night(reader: Any) -> None:
    """First all; then the turn's two, each with the one before it, and the damaged one; with None all."""
    damaged, kept, asked = reader({}, 3)
    assert (asked, len(kept), [each.number for each in damaged]) == ([(1, 14)], 13, [9])
    _, kept, asked = reader(kept, 3)
    assert asked == [(2, 3), (8, 10)]
    assert len(kept) == 13
    assert reader(kept, None)[2] == [(1, 14)]
    touched = {**kept, "00000001000000000000000D": [2, 1]}
    assert (12, 14) in [tuple(each) for each in reader(touched, 0)[2]]


def test_bad_backups_come_and_go_and_others_marks_stay(
    backup_program: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ours as found now, a drill's as it put it there, none of a backup that is gone."""
    verify = backup_program("verify")
    monkeypatch.setattr(verify.pairs, "STATES", tmp_path / "states")
    monkeypatch.setattr(verify.pairs, "HOME", tmp_path / "home")
    (tmp_path / "states/s").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (tmp_path / "home/s/base" / name).mkdir(parents=True)
    pair = verify.pairs.Pair("s", {})
    path = tmp_path / "states/s/bad_backups.json"
    path.write_text(json.dumps({"b": "the drill said so", "gone": "long ago"}))
    memory = verify.Memory(pair)
    finding = backup_program("finding").Finding("base", "damaged", "mend", "a")
    verify.mark_bad(pair, memory, [finding])
    assert json.loads(path.read_text()) == {"b": "the drill said so", "a": "damaged"}
    memory.keep()
    verify.mark_bad(pair, verify.Memory(pair), [])
    assert json.loads(path.read_text()) == {"b": "the drill said so"}


def test_a_part_that_cannot_be_verified_is_a_finding_and_stops_no_other(
    backup_program: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The M EMS server is away: said, and the disk is looked at all the same."""
    verify = backup_program("verify")
    monkeypatch.setattr(verify.pairs, "STATES", tmp_path)
    (tmp_path / "s").mkdir()

    def away(_: Any) -> Any:
        raise verify.pairs.Trouble("no answer")

    full = backup_program("finding").Finding("disk", "full", "larger")
    monkeypatch.setattr(verify, "source", away)
    monkeypatch.setattr(verify, "disks", lambda _: [full])
    for name in ("barman_check", "backups", "archive"):
        monkeypatch.setattr(verify, name, lambda *_: [])
    for name in ("pulls", "check", "marks"):
        monkeypatch.setattr(verify.verify_files, name, lambda *_: [])
    findings = verify.gather(verify.pairs.Pair("s", {}), False, datetime.now(UTC))
    assert [each.what for each in findings] == ["source", "disk"]
    assert findings[0].words == "could not be verified: no answer"


def test_an_archive_after_a_recovery_has_histories_beside_its_folders(
    verify_wal: ModuleType, tmp_path: Path
) -> None:
    """As Barman lays it out: segments in folders, histories and the list of all of it above them."""
    wal = verify_wal.wal
    folder = tmp_path / "wals/0000000200000000"
    folder.mkdir(parents=True)
    (folder / "000000020000000000000005").write_bytes(b"x")
    (tmp_path / "wals/00000002.history").write_text("1\t0/5000000\tno recovery target specified\n")
    (tmp_path / "wals/xlog.db").write_text("000000020000000000000005\t1\t1.0\tNone\n")
    there = verify_wal.read(tmp_path, tmp_path / "ends")
    assert list(there.files) == [wal.Segment(2, 5)]
    assert there.histories == {2: [(1, 0x5000000)]}
    assert there.listed == {wal.Segment(2, 5)}


@pytest.mark.parametrize(("hours", "words"), [(None, "no moment"), (1, ""), (4, "the newest moment")])
def test_marks_that_no_longer_come_are_found(
    backup_program: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hours: int | None, words: str
) -> None:
    """Also while their unit only tries again and again; the mend starts it in spite of its limit."""
    verify_files = backup_program("verify_files")
    monkeypatch.setattr(verify_files.pairs, "STATES", tmp_path)
    pair = verify_files.pairs.Pair("s", {})
    pair.folder.mkdir()
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    if hours is not None:
        record = {"at": (moment - timedelta(hours=hours)).isoformat(), "figures": {}}
        verify_files.pairs.append_line(pair.folder / "marks.jsonl", record)
    found = list(verify_files.marks(pair, moment, False))
    assert [each.what for each in found] == (["marks"] if words else [])
    for each in found:
        assert words in each.words
        assert "systemctl reset-failed amc-backup-mark@s; systemctl start amc-backup-mark@s" in each.mend
