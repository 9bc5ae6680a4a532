"""restore_choice.py: which backup and timeline a moment needs, and what is lost, on a server with a history.

10:00 backup a on timeline 1, 12:00 backup b. At 13:00 a recovery to 11:00 began timeline 2 (it left the first
one at 0x5000), 13:10 backup c. At 15:00 the old cluster was put back: timeline 1 again. All UTC.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

RECOVERIES = [
    {"at": "2026-03-01T13:00:00+00:00", "run": "x", "from_timeline": 1, "to_timeline": 2},
    {"at": "2026-03-01T15:00:00+00:00", "run": "y", "from_timeline": 2, "to_timeline": 1},
]
HISTORIES = {2: [(1, 0x5000)]}


@pytest.fixture
def choice(recover_program: Callable[[str], ModuleType]) -> ModuleType:
    return recover_program("restore_choice")


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


def backup(choice: ModuleType, name: str, ended: datetime, timeline: int, end: int) -> Any:
    return choice.BaseBackup(name, timeline, end - 0x100, end, ended, ended, 1000, 1 << 24, "7", False)


@pytest.fixture
def backups(choice: ModuleType) -> list[Any]:
    return [
        backup(choice, "a", at(10), 1, 0x3000),
        backup(choice, "b", at(12), 1, 0x8000),
        backup(choice, "c", at(13, 10), 2, 0x6000),
    ]


@pytest.mark.parametrize(
    ("moment", "timeline"), [(at(9), 1), (at(12, 59), 1), (at(13), 2), (at(14, 59), 2), (at(15), 1)]
)
def test_the_timeline_of_a_moment_is_the_one_of_the_work_then(
    choice: ModuleType, moment: datetime, timeline: int
) -> None:
    """Before a recovery the one it left, after it the one it began; also when an older one was put back."""
    assert choice.timeline_at(moment, RECOVERIES, 1) == timeline


def test_the_current_timeline_is_the_last_recoverys_not_the_highest(choice: ModuleType) -> None:
    """A cluster that was put back works on its old number again; without recoveries the newest received."""
    assert choice.current_timeline(RECOVERIES, [1, 2]) == 1
    assert choice.current_timeline([], [1, 3]) == 3
    assert choice.current_timeline([], []) == 1


@pytest.mark.parametrize(
    ("timeline", "not_after", "found"),
    [
        (1, None, ["b", "a"]),
        (1, at(11), ["a"]),
        (2, None, ["c", "a"]),  # b was made after timeline 2 had left timeline 1
        (2, at(13, 5), ["a"]),
    ],
)
def test_only_backups_on_the_way_to_the_target_are_taken_newest_first(
    choice: ModuleType, backups: list[Any], timeline: int, not_after: datetime | None, found: list[str]
) -> None:
    """A backup of an ancestor serves only when it was complete before that was left."""
    taken = choice.candidates(backups, {}, timeline, HISTORIES, not_after)
    assert [each.id for each in taken] == found


def test_a_bad_backup_is_passed_over(choice: ModuleType, backups: list[Any]) -> None:
    """The one before it comes first then; when all are bad, their faults are said."""
    bad = {"c": "a byte"}
    assert [each.id for each in choice.candidates(backups, bad, 2, HISTORIES, None)] == ["a"]
    with pytest.raises(choice.NoChoice, match="c: a byte"):
        choice.candidates(backups, {**bad, "a": "gone"}, 2, HISTORIES, None)


def test_a_moment_before_the_oldest_backup_has_no_way(choice: ModuleType, backups: list[Any]) -> None:
    """It says from when on there is one."""
    with pytest.raises(choice.NoChoice, match="2026-03-01 10:00:00"):
        choice.candidates(backups, {}, 1, HISTORIES, at(9))
    with pytest.raises(choice.NoChoice, match="no backup of timeline 7"):
        choice.candidates(backups, {}, 7, HISTORIES, None)


def test_a_time_after_the_last_commit_is_the_end(choice: ModuleType) -> None:
    """PostgreSQL would wait for a commit after it, which never comes."""
    received = choice.Received(1, 0x9000, at(14))
    assert choice.ends_where_received(choice.Target(), received)
    assert choice.ends_where_received(choice.Target(time=at(14)), received)
    assert not choice.ends_where_received(choice.Target(time=at(13)), received)
    assert not choice.ends_where_received(choice.Target(mark="m"), received)


def test_files_are_of_the_first_whole_snapshot_after_the_moment(choice: ModuleType) -> None:
    """The newest one without a moment, even of a pull that broke off: nothing is missing in it."""

    def snapshot(name: str, moment: datetime, *tags: str) -> SimpleNamespace:
        return SimpleNamespace(id=name, at=moment, tags=frozenset(tags))

    there = [
        snapshot("late", at(12), "store", "partial"),
        snapshot("first", at(10), "store"),
        snapshot("broken", at(11), "store", "partial"),
        snapshot("second", at(11, 30), "store"),
        snapshot("settings", at(13), "config"),
    ]
    assert choice.snapshot_for(None, there).id == "late"
    assert choice.snapshot_for(at(10, 30), there).id == "second"
    assert choice.snapshot_for(at(11, 45), there).id == "late"
    assert choice.snapshot_for(at(9), []) is None


def test_what_will_be_lost_is_said(choice: ModuleType) -> None:
    """From when to when, and how many commits."""
    received = choice.Received(1, 0x9000, at(14))
    assert "the last commit is of 2026-03-01 14:00:00" in choice.loss(choice.Target(), received, 0, None)
    words = choice.loss(choice.Target(time=at(13)), received, 42, at(13, 1))
    assert "after 2026-03-01 13:00:00" in words and "42 commits" in words and "13:01:00" in words


def test_a_backup_that_is_not_whole_is_none(choice: ModuleType) -> None:
    """Failed ones, and one that is being made."""
    whole = (
        "status=DONE\ntimeline=1\nbegin_xlog=0/2000028\nend_xlog=0/2000138\nsize=54354856\n"
        "begin_time=2026-03-01 10:00:00.1+00:00\nend_time=2026-03-01 10:00:02.2+00:00\ntablespaces=None\n"
        "xlog_segment_size=16777216\nsystemid=7\n"
    )
    read = choice.read_backup(whole, "20260301T100000")
    assert (read.begin, read.end, read.size, read.tablespaces) == (0x2000028, 0x2000138, 54354856, False)
    assert choice.read_backup(whole.replace("DONE", "FAILED"), "x") is None
    assert choice.read_backup(whole.replace("0/2000138", "None"), "x") is None
