"""roles/backup_server/files/retention.py: which snapshots may go, and which never."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def retention(backup_program: Load) -> ModuleType:
    return backup_program("retention")


def every(retention: ModuleType, step: timedelta, since: timedelta, kind: str = "store") -> list[Any]:
    count = since // step
    return [
        retention.Snapshot(f"{kind}{number:06d}", NOW - since + step * number, frozenset({kind}))
        for number in range(count + 1)
    ]


def test_minutes_for_two_days_hours_for_a_week_days_within_the_retention(retention: ModuleType) -> None:
    """Of one a minute in 20 days: all of the last 2, one an hour of the 5 before, one a day before that."""
    snapshots = every(retention, timedelta(minutes=1), timedelta(days=20))
    going = set(retention.choose(snapshots, NOW, 14, set()))
    ages = [NOW - each.at for each in snapshots if each.id not in going]
    assert sum(age <= timedelta(days=2) for age in ages) == 2881
    hourly = [age for age in ages if timedelta(days=2) < age <= timedelta(days=7)]
    assert 5 * 24 <= len(hourly) <= 5 * 24 + 1
    daily = [age for age in ages if age > timedelta(days=7)]
    assert 8 <= len(daily) <= 9
    assert max(daily) <= timedelta(days=15)


def test_after_any_moment_of_the_retention_there_is_a_snapshot_within_its_slot(retention: ModuleType) -> None:
    """The first one after a moment is at most a minute, an hour, a day later."""
    snapshots = every(retention, timedelta(minutes=1), timedelta(days=15))
    going = set(retention.choose(snapshots, NOW, 14, set()))
    kept = sorted(each.at for each in snapshots if each.id not in going)
    for age, late in ((1.3, timedelta(minutes=1)), (5.2, timedelta(hours=1)), (13.9, timedelta(days=1))):
        moment = NOW - timedelta(days=age)
        assert min(at for at in kept if at >= moment) - moment <= late


def test_what_a_backup_or_a_mark_within_the_window_names_stays(retention: ModuleType) -> None:
    """Also of the backup before the retention, from which recovery to its first day starts."""
    snapshots = every(retention, timedelta(hours=1), timedelta(days=30))
    by_age = {round((NOW - each.at) / timedelta(hours=1)): each.id for each in snapshots}
    backups = [
        {"ok": True, "ended": (NOW - timedelta(days=age)).isoformat(), "files_snapshot": by_age[age * 24 + 7]}
        for age in (28, 15, 8)
    ]
    marks = [{"at": (NOW - timedelta(hours=219)).isoformat(), "files_snapshot": by_age[220]}]
    named = retention.wanted(backups, marks, NOW, 14)
    assert named == {by_age[15 * 24 + 7], by_age[8 * 24 + 7], by_age[220]}
    going = set(retention.choose(snapshots, NOW, 14, named))
    assert not named & going
    assert by_age[28 * 24 + 7] in going


def test_a_clock_that_jumped_ahead_empties_nothing(retention: ModuleType) -> None:
    """A year later by the clock the newest of each kind are still there."""
    snapshots = every(retention, timedelta(minutes=1), timedelta(days=1))
    snapshots += every(retention, timedelta(days=1), timedelta(days=5), "config")
    going = set(retention.choose(snapshots, NOW + timedelta(days=365), 14, set()))
    kept = [each for each in snapshots if each.id not in going]
    assert len([each for each in kept if "store" in each.tags]) == 60
    assert len([each for each in kept if "config" in each.tags]) == 6
    assert snapshots[1440] in kept
