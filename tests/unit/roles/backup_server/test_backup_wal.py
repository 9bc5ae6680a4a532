"""roles/backup_server/files/wal.py: what recovery needs of the WAL, and what is to be read again."""

from collections.abc import Callable
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]
SIZE = 16 * 1024 * 1024


@pytest.fixture
def wal(backup_program: Load) -> ModuleType:
    return backup_program("wal")


def numbers(segments: object, timeline: int) -> list[int]:
    return sorted(each.number for each in segments if each.timeline == timeline)  # type: ignore[attr-defined]


def test_names_and_numbers_are_each_others_way_back(wal: ModuleType) -> None:
    """A log of 256 segments is full at FF; other segment sizes count otherwise."""
    for name in ("000000010000000000000004", "0000000200000003000000FF", "000000020000000400000000"):
        assert wal.parse(name).name() == name
    last, first = wal.parse("0000000200000003000000FF"), wal.parse("000000020000000400000000")
    assert first.number == last.number + 1
    assert wal.parse("000000010000000100000003", 64 << 20).number == 64 + 3
    with pytest.raises(ValueError, match="no WAL segment"):
        wal.parse("000000010000000000000004.partial")


def test_a_history_names_ancestors_and_where_they_were_left(wal: ModuleType) -> None:
    """As PostgreSQL writes it: tabs, a reason, an empty line, a comment."""
    text = "# made by hand\n1\t0/5000FA0\tno recovery target specified\n\n2\t1/A0\tbefore 2026-11-24 12:00\n"
    assert wal.branches(text) == [(1, 0x5000FA0), (2, 0x1000000A0)]


def test_needed_is_everything_from_the_oldest_backup_on(wal: ModuleType) -> None:
    """One timeline, backups at 4 and 9, received up to 12: from 4 to 12, whatever is there."""
    backups = [wal.Backup("a", 1, 4, 4), wal.Backup("b", 1, 9, 10)]
    present = [wal.Segment(1, number) for number in (2, 3, 4, 7, 12)]
    assert numbers(wal.needed(backups, present, {}), 1) == list(range(4, 13))


def test_needed_changes_to_the_new_timeline_where_the_old_one_was_left(wal: ModuleType) -> None:
    """Timeline 2 left 1 inside segment 8: 1 is needed before it (and on, where 1 went on), 2 from 8."""
    backups = [wal.Backup("a", 1, 4, 4)]
    present = [wal.Segment(1, 4), wal.Segment(1, 7), wal.Segment(2, 9)]
    needed = wal.needed(backups, present, {2: [(1, 8 * SIZE + 100)]})
    assert numbers(needed, 1) == [4, 5, 6, 7]
    assert numbers(needed, 2) == [8, 9]


def test_a_backup_made_after_the_branch_needs_nothing_of_the_branch(wal: ModuleType) -> None:
    """The backup of timeline 1 at 20 can't be replayed along 2, which left at 8."""
    backups = [wal.Backup("late", 1, 20, 20)]
    needed = wal.needed(backups, [wal.Segment(1, 21), wal.Segment(2, 9)], {2: [(1, 8 * SIZE)]})
    assert numbers(needed, 1) == [20, 21]
    assert numbers(needed, 2) == []


def test_a_grandchild_is_reached_through_both(wal: ModuleType) -> None:
    """1 until 8, 2 until 10, then 3 to 12."""
    history = {2: [(1, 8 * SIZE)], 3: [(1, 8 * SIZE), (2, 10 * SIZE + 5)]}
    needed = wal.needed([wal.Backup("a", 1, 6, 6)], [wal.Segment(3, 12)], history)
    assert (numbers(needed, 1), numbers(needed, 2)) == ([6, 7], [8, 9])
    assert numbers(needed, 3) == [10, 11, 12]


def test_spans_are_unbroken(wal: ModuleType) -> None:
    """Another timeline begins another span."""
    segments = [wal.Segment(1, number) for number in (5, 3, 4, 9)] + [wal.Segment(2, 10)]
    assert [(first.number, last.number) for first, last in wal.spans(segments)] == [(3, 5), (9, 9), (10, 10)]


def test_reading_begins_one_early_for_the_record_that_crosses(wal: ModuleType) -> None:
    """Of 4 to 8, 6 and 7 are unread: from 5; without 5 there, from 6."""
    unread = {wal.Segment(1, 6), wal.Segment(1, 7)}
    there = [wal.Segment(1, number) for number in (4, 5, 6, 7, 8)]
    assert wal.to_read(there, unread) == [(wal.Segment(1, 5), wal.Segment(1, 7))]
    assert wal.to_read(there[2:], unread) == [(wal.Segment(1, 6), wal.Segment(1, 7))]


@pytest.mark.parametrize(
    ("complaint", "number"),
    [
        ("error in WAL record at 0/6FFFF90: invalid resource manager ID 1 at 0/7000028", 7),
        ("error in WAL record at 0/5000060: unexpected pageaddr 0/0 in log segment 000000010000000000000006,"
         " offset 8192", 6),
        ("could not find a valid record after 0/5000000", 5),
        ("something else", 5),
    ],
)  # fmt: skip
def test_the_complaint_names_a_segment(wal: ModuleType, complaint: str, number: int) -> None:
    """The segment it names, else the last position in it, else the first that was read."""
    assert wal.blamed(complaint, wal.Segment(1, 5), wal.Segment(1, 8)).number == number
