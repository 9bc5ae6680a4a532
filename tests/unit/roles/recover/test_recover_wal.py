"""restore_wal.py: which segments replay reads, and where what was received ends; lines are pg_waldump's."""

import gzip
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

SIZE = 1 << 24
LINES = [
    "rmgr: Heap        len (rec/tot):     59/    59, tx: 727, lsn: 0/01B359A0, prev 0/01B35978, desc: X",
    "rmgr: Transaction len (rec/tot):     34/    34, tx:        727, lsn: 0/01B359E0, prev 0/01B359A0, "
    "desc: COMMIT 2026-11-24 11:57:38.405158 UTC",
    "rmgr: XLOG        len (rec/tot):     24/    24, tx: 0, lsn: 0/01B35A08, prev 0/01B359E0, desc: SWITCH",
]


@pytest.fixture
def wal_of(recover_program: Callable[[str], ModuleType]) -> ModuleType:
    return recover_program("restore_wal")


def put(folder: Path, name: str, content: bytes = b"x") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def test_the_last_record_and_the_commits(wal_of: ModuleType) -> None:
    """A switch is a record too: replay has everything only past it."""
    begin, end = wal_of.last_record(LINES)
    assert begin == 0x1B35A08 and end > begin + 24
    assert wal_of.commits_of(LINES) == [
        (0x1B359E0, datetime(2026, 11, 24, 11, 57, 38, 405158, tzinfo=UTC)),
    ]
    assert wal_of.last_record([]) is None


def test_a_whole_segment_goes_before_a_partial_one_and_the_newer_partial_before_the_older(
    wal_of: ModuleType, tmp_path: Path
) -> None:
    """Archived, received and left ends are one store."""
    name = "00000001000000000000000%d"
    archived = put(tmp_path / "home/wals/0000000100000000", name % 3)
    put(tmp_path / "home/streaming", f"{name % 3}.partial")
    streamed = put(tmp_path / "home/streaming", f"{name % 4}.partial")
    left = put(tmp_path / "ends", f"{name % 4}.partial")
    os.utime(left, (1, 1))
    store = wal_of.Store(tmp_path / "home", tmp_path / "ends")
    assert {each.number: path for each, path in store.segments().items()} == {3: archived, 4: streamed}


def test_replay_reads_the_branch_segment_from_the_new_timeline(wal_of: ModuleType, tmp_path: Path) -> None:
    """Timeline 2 left timeline 1 in segment 5: what timeline 1 wrote later is none of its history."""
    home = tmp_path / "home"
    for number in range(3, 8):
        put(home / "wals/0000000100000000", f"00000001000000000000000{number}")
    for number in (5, 6):
        put(home / "streaming", f"00000002000000000000000{number}")
    put(home / "wals", "00000002.history", b"1\t0/5000100\tno recovery target specified\n")
    store = wal_of.Store(home, tmp_path / "ends")
    way = [(each.timeline, each.number) for each, _ in store.way(2, 4 * SIZE + 40)]
    assert way == [(1, 4), (2, 5), (2, 6)]
    assert [each.number for each, _ in store.way(1, 0)] == [3, 4, 5, 6, 7]


def test_what_can_not_be_read_after_the_last_record_is_counted_as_received(
    wal_of: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged record in the newest segment: pg_waldump stops there, and so will replay. It must be said."""
    content = bytearray(SIZE)
    content[0:100] = b"r" * 100
    segment = put(tmp_path / "home/streaming", "000000010000000000000001.partial", bytes(content))
    store = wal_of.Store(tmp_path / "home", tmp_path / "ends")
    monkeypatch.setattr(
        store,
        "dump",
        lambda pieces, scratch: ["len (rec/tot): 50/    50, tx: 0, lsn: 0/1000028, prev 0/0, x"],
    )
    assert store.end(1, tmp_path / "scratch").position == 0x1000028
    content[9000] = 1
    segment.write_bytes(bytes(content))
    assert store.end(1, tmp_path / "scratch").position == 0x1000000 + 9000
    segment.write_bytes(bytes(SIZE))
    with pytest.raises(LookupError, match="no WAL of timeline 1"):
        store.end(1, tmp_path / "scratch")


def test_segments_are_laid_out_under_postgresqls_names(wal_of: ModuleType, tmp_path: Path) -> None:
    """Links of whole ones, a copy of the one that grows, packed ones unpacked."""
    packed = put(tmp_path / "a", "000000010000000000000001", gzip.compress(b"one"))
    whole = put(tmp_path / "a", "000000010000000000000002", b"two")
    growing = put(tmp_path / "a", "000000010000000000000003.partial", b"three")
    import wal  # type: ignore[import-not-found]

    pieces = [(wal.Segment(1, number), path) for number, path in enumerate([packed, whole, growing], 1)]
    wal_of.lay_out(pieces, tmp_path / "out", SIZE)
    growing.write_bytes(b"more")
    found = {path.name[-1]: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert found == {"1": b"one", "2": b"two", "3": b"three"}
    assert (tmp_path / "out/000000010000000000000002").stat().st_nlink == 2


def test_a_way_ends_at_the_first_segment_that_is_missing(
    recover_program: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """Later ones are of no use, and the missing one is named."""
    plan, wal = recover_program("restore_plan"), recover_program("wal")
    way = [(wal.Segment(1, number), tmp_path) for number in (3, 4, 6)]
    assert plan.unbroken(way, 3) == (way[:2], wal.Segment(1, 5))
    assert plan.unbroken(way[:2], 3) == (way[:2], None)
    assert plan.unbroken(way, 2) == ([], wal.Segment(1, 2))
