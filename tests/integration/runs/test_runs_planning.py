"""Orders from the schedule, on both databases: a day ahead, each once, missed ones made up for by one run."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.errors import InvalidInput
from orchestrator.runs.states import State
from orchestrator.schedule.occurrences import occurrences
from orchestrator.schedule.occurrences import scheduled as coming_round

from .scheduled import PATCH_SECONDS, Scheduled

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NIGHT = datetime(2026, 12, 12, 18, 30, tzinfo=UTC)  # the second Saturday, 22:30 in Dubai
BACKUP = datetime(2026, 12, 11, 21, 30, tzinfo=UTC)  # that night's, 01:30 in Dubai
THE_DAY_BEFORE = NIGHT - DAY + HOUR


def keys(scheduled: Scheduled) -> list[str]:
    return sorted(run.key for run in scheduled.runs())


def test_a_day_ahead_with_its_hours_held(scheduled: Scheduled) -> None:
    """Each waits for its planned time; asked again, also by a clock that jumps, nothing is ordered twice."""
    assert len(scheduled.plan(THE_DAY_BEFORE)) == 2
    found = {run.key: run for run in scheduled.runs()}
    patch, backup = found["acme-patch-2026-12-12"], found["acme-backup-2026-12-12"]
    assert (patch.state, patch.planned_at, patch.held) == (State.WAITING, NIGHT, PATCH_SECONDS)
    assert (backup.state, backup.planned_at, backup.held) == (State.WAITING, BACKUP, 0)
    assert (patch.cause, patch.servers) == ("schedule", ["acme-erp1"])
    assert (scheduled.queued, scheduled.held()) == ([], PATCH_SECONDS)
    for jump in (timedelta(), MINUTE, -HOUR, HOUR / 2):
        assert scheduled.plan(THE_DAY_BEFORE + jump) == []
    scheduled.release(BACKUP)
    assert scheduled.queued == [backup.id]
    scheduled.work(backup.id, BACKUP)
    scheduled.release(NIGHT)
    assert scheduled.queued == [backup.id, patch.id]


def test_it_is_not_ordered_earlier(scheduled: Scheduled) -> None:
    """The patch is more than a day away."""
    scheduled.plan(NIGHT - DAY - MINUTE)
    assert keys(scheduled) == ["acme-backup-2026-12-12"]


def test_a_refusal_is_one_row(scheduled: Scheduled) -> None:
    """Hours that don't suffice are told once and not each minute; the backup goes on."""
    scheduled.agree("per_calendar_year: 60", "per_calendar_year: 1")
    scheduled.agree("minutes: 45", "minutes: 90")
    said = scheduled.plan(THE_DAY_BEFORE)
    assert any("acme-patch-2026-12-12: refused: the hours" in line for line in said)
    for minutes in range(1, 4):
        assert scheduled.plan(THE_DAY_BEFORE + minutes * MINUTE) == []
    states = Counter((run.activity, str(run.state)) for run in scheduled.runs())
    assert states == {("patch", "refused"): 1, ("backup", "waiting"): 1}


def test_one_customers_fault_keeps_no_other_waiting(scheduled: Scheduled) -> None:
    """It is raised after the others were served, each time, with file and mend."""
    other = scheduled.settings.inventories / "globex/group_vars/all/contract.yml"
    other.parent.mkdir(parents=True)
    other.write_text("amc_contract: {}\n")
    (scheduled.settings.inventories / "globex/hosts.yml").write_text("all: {}\n")
    for _ in range(2):
        with pytest.raises(InvalidInput, match="globex"):
            scheduled.plan(THE_DAY_BEFORE)
    assert len(scheduled.runs()) == 2
    other.unlink()
    (scheduled.settings.inventories / "globex/hosts.yml").unlink()
    (scheduled.settings.repository / "playbooks/backup.yml").unlink()
    with pytest.raises(InvalidInput, match="backup has no playbook"):
        scheduled.plan(THE_DAY_BEFORE + DAY)
    assert len(scheduled.runs()) == 2
    (scheduled.settings.inventories / "acme/hosts.yml").write_text("all: {hosts: {acme-erp1: }}\n")
    with pytest.raises(InvalidInput, match="no server is in the group mems"):
        scheduled.plan(THE_DAY_BEFORE + DAY)


def test_one_backup_makes_up_for_the_nights_that_were_missed(scheduled: Scheduled) -> None:
    """At once, and once; the next night's is its own."""
    scheduled.plan(THE_DAY_BEFORE - 5 * DAY)
    scheduled.release(BACKUP - 5 * DAY)
    scheduled.work(scheduled.queued[0], BACKUP - 5 * DAY)
    back = BACKUP - 12 * HOUR
    for minutes in range(3):
        scheduled.plan(back + minutes * MINUTE)
        scheduled.release(back + minutes * MINUTE)
    assert keys(scheduled) == [f"acme-backup-2026-12-{day:02}" for day in (7, 11, 12)]
    assert len(scheduled.queued) == 2


def test_one_that_waited_all_the_time_makes_up_for_the_missed(scheduled: Scheduled) -> None:
    """It was ordered before the break, and is done after it: another would be the second in a row."""
    scheduled.plan(BACKUP - 4 * DAY - HOUR)
    back = BACKUP - 12 * HOUR
    scheduled.release(back)
    for minutes in range(3):
        scheduled.plan(back + minutes * MINUTE)
    assert keys(scheduled) == ["acme-backup-2026-12-08", "acme-backup-2026-12-12"]


def test_a_missed_night_is_left_to_the_next_of_the_same_window(scheduled: Scheduled) -> None:
    """A weekly patch whose worker was away for the night: no two patches in the next one."""
    scheduled.agree("FREQ=MONTHLY;BYDAY=2SA", "FREQ=WEEKLY;BYDAY=SA")
    scheduled.plan(THE_DAY_BEFORE)
    missed = next(run for run in scheduled.runs() if run.activity == "patch")
    scheduled.release(NIGHT + 12 * HOUR)
    assert scheduled.run(missed.id).planned_at == NIGHT + 6 * DAY - HOUR / 2  # Friday's window is free
    scheduled.release(NIGHT + 7 * DAY - 2 * HOUR)
    ended = scheduled.run(missed.id)
    assert ended.state is State.CANCELLED
    assert "the next one is planned for Saturday 2026-12-19 22:30" in ended.words
    scheduled.plan(THE_DAY_BEFORE + 7 * DAY)
    scheduled.plan(NIGHT + 7 * DAY - HOUR / 4)
    waits = [run for run in scheduled.runs() if run.activity == "patch" and run.state is State.WAITING]
    assert [run.key for run in waits] == ["acme-patch-2026-12-19"]
    assert scheduled.held() == PATCH_SECONDS


def test_two_workers_order_each_once(scheduled: Scheduled) -> None:
    """Eight at the same moment."""
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(scheduled.plan, THE_DAY_BEFORE) for _ in range(8)]:
            done.result()
    assert keys(scheduled) == ["acme-backup-2026-12-12", "acme-patch-2026-12-12"]
    assert scheduled.held() == PATCH_SECONDS


@pytest.mark.parametrize("seed", [20261124])
def test_whatever_the_clock_does_each_is_ordered_once(scheduled: Scheduled, seed: int) -> None:
    """Thirty days in steps that jump back and forth: every occurrence that came has one row, and no other."""
    chance, begin = random.Random(seed), THE_DAY_BEFORE - 20 * DAY
    now = latest = begin
    while latest < begin + 30 * DAY:
        now += chance.choice((MINUTE, 7 * HOUR, 20 * HOUR, 20 * HOUR, 20 * HOUR, -HOUR, -DAY))
        now = max(now, begin)
        latest = max(latest, now)
        scheduled.plan(now)
        for line in scheduled.release(now):
            run = scheduled.run(line.partition(":")[0])
            if run.state is State.QUEUED:
                scheduled.work(run.id, now)
    contract = scheduled.contract
    wanted = [
        each.uid
        for activity in coming_round(contract)
        for each in occurrences(contract, activity, begin, latest + DAY)
    ]
    assert keys(scheduled) == sorted(wanted)
    states = {run.state for run in scheduled.runs() if (run.planned_at or latest) < latest - DAY}
    assert states <= {State.DONE, State.CANCELLED}
