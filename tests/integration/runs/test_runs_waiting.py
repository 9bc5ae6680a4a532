"""Runs that wait for their time, on both databases: held, released, moved with their hold, approved."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.errors import InvalidInput, NotCovered, UsageError
from orchestrator.ledger import store as ledger
from orchestrator.runs import approval, beginning, following, view
from orchestrator.runs.states import State

from .scheduled import FRIDAY_NIGHT, PATCH_SECONDS, SATURDAY_NIGHT, TUESDAY, Scheduled

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_it_waits_for_the_next_window_with_its_hours_held(scheduled: Scheduled) -> None:
    """Ordered on a Tuesday, released once the window opens, and once only."""
    run = scheduled.order("patch", TUESDAY)
    assert (run.state, run.planned_at, run.held) == (State.WAITING, FRIDAY_NIGHT, PATCH_SECONDS)
    assert "outside the maintenance windows" in run.words
    assert (scheduled.queued, scheduled.held()) == ([], PATCH_SECONDS)
    word, following_ = view.standing(scheduled.settings, run)
    assert (word, "Friday 2026-11-27 22:00 +04" in following_) == ("waiting", True)
    assert scheduled.release(FRIDAY_NIGHT - MINUTE) == []
    assert scheduled.release(FRIDAY_NIGHT + MINUTE) == [f"{run.id}: its time has come"]
    assert scheduled.release(FRIDAY_NIGHT + MINUTE) == []
    assert (scheduled.run(run.id).state, scheduled.queued) == (State.QUEUED, [run.id])
    done = scheduled.work(run.id, FRIDAY_NIGHT + MINUTE)
    assert (done.state, done.charged, scheduled.held()) == (State.DONE, PATCH_SECONDS, 0)


def test_what_is_left_of_the_window_has_to_suffice(scheduled: Scheduled) -> None:
    """Half an hour is left for 45 minutes: the run and its hold move to the next night, and it is settled."""
    run = scheduled.order("patch", TUESDAY)
    (said,) = scheduled.release(FRIDAY_NIGHT + timedelta(hours=5, minutes=30))
    assert "planned anew for Saturday 2026-11-28 22:00" in said
    moved = scheduled.run(run.id)
    assert (moved.state, moved.planned_at) == (State.WAITING, SATURDAY_NIGHT)
    assert "45 minutes do not fit into the 30 minutes" in moved.words
    assert (scheduled.queued, scheduled.held()) == ([], PATCH_SECONDS)
    scheduled.release(SATURDAY_NIGHT)
    assert scheduled.work(run.id, SATURDAY_NIGHT).charged == PATCH_SECONDS
    assert scheduled.postings(run.id) == ["hold", "void", "hold", "settle"]
    assert scheduled.held() == 0


def test_across_the_years_end_the_hold_moves_to_the_other_years_hours(scheduled: Scheduled) -> None:
    """Missed in December, planned for January: nothing of the old year stays held."""
    run = scheduled.order("patch", datetime(2026, 12, 26, 12, tzinfo=UTC))
    assert (scheduled.held(2026), scheduled.held(2027)) == (PATCH_SECONDS, 0)
    scheduled.release(datetime(2026, 12, 28, 12, tzinfo=UTC))
    assert scheduled.run(run.id).planned_at == datetime(2027, 1, 1, 18, tzinfo=UTC)
    assert (scheduled.held(2026), scheduled.held(2027)) == (0, PATCH_SECONDS)


def test_moved_to_where_no_hours_are_left_it_is_cancelled(scheduled: Scheduled) -> None:
    """With what to buy; nothing of it stays held."""
    scheduled.agree("per_calendar_year: 60", "per_calendar_year: 1")
    run = scheduled.order("patch", datetime(2026, 12, 26, 12, tzinfo=UTC))
    scheduled.order("patch", TUESDAY, planned_at=datetime(2027, 1, 2, 18, tzinfo=UTC))
    scheduled.release(datetime(2026, 12, 28, 12, tzinfo=UTC))
    ended = scheduled.run(run.id)
    assert (ended.state, ended.charged, ended.exit_code) == (State.CANCELLED, 0, 6)
    assert "buy at least 0:30" in ended.words
    assert (scheduled.held(2026), scheduled.held(2027)) == (0, PATCH_SECONDS)


def test_a_freeze_that_comes_later_counts(scheduled: Scheduled) -> None:
    """The contract as it stands when the time has come; hours as when the order came."""
    run = scheduled.order("patch", TUESDAY)
    scheduled.agree(
        "  activities:", "  freezes: [{from: 2026-11-27, until: 2026-12-03, why: audit}]\n  activities:"
    )
    scheduled.release(FRIDAY_NIGHT)
    moved = scheduled.run(run.id)
    assert (moved.state, moved.planned_at) == (State.WAITING, FRIDAY_NIGHT + timedelta(days=7))
    assert "audit" in moved.words


def test_after_the_terms_end_there_is_no_place(scheduled: Scheduled) -> None:
    """Cancelled with the reason, its hours go back."""
    run = scheduled.order("patch", TUESDAY)
    scheduled.agree("start: 2026-01-01", "start: 2026-01-01, end: 2026-11-27")
    scheduled.release(SATURDAY_NIGHT)
    assert scheduled.run(run.id).state is State.CANCELLED
    assert "term ends on 2026-11-27" in scheduled.run(run.id).words
    assert (scheduled.held(), scheduled.queued) == (0, [])


def test_one_at_a_time_so_that_none_begins_after_the_window(scheduled: Scheduled) -> None:
    """The second waits for the first one's end, and for the next night when too little is left then."""
    one, two = scheduled.order("patch", TUESDAY), scheduled.order("patch", TUESDAY + MINUTE)
    scheduled.release(FRIDAY_NIGHT)
    assert scheduled.queued == [one.id]
    scheduled.release(FRIDAY_NIGHT + 30 * MINUTE)
    assert scheduled.queued == [one.id]
    scheduled.work(one.id, FRIDAY_NIGHT, minutes=340)
    scheduled.release(FRIDAY_NIGHT + 340 * MINUTE)
    assert scheduled.queued == [one.id]
    assert scheduled.run(two.id).planned_at == SATURDAY_NIGHT


def test_an_emergency_goes_at_once_and_says_why(scheduled: Scheduled) -> None:
    """Under the contract's rule alone; where a window is open there is no emergency."""
    run = scheduled.order("patch", TUESDAY, urgent="a hole that is being used")
    assert (run.state, run.urgent, run.planned_at) == (State.QUEUED, "a hole that is being used", None)
    within = scheduled.order("patch", FRIDAY_NIGHT + MINUTE, urgent="a hole")
    assert (within.state, within.urgent) == (State.QUEUED, None)
    with pytest.raises(UsageError, match="needs its reason"):
        scheduled.order("patch", TUESDAY, urgent=" ")
    scheduled.agree("  emergency: {allowed: true}\n", "")
    with pytest.raises(NotCovered, match="has no emergency rule"):
        scheduled.order("patch", TUESDAY, urgent="a hole")
    assert [run.exit_code for run in scheduled.runs() if run.state is State.REFUSED] == [4]


def test_what_goes_at_once(scheduled: Scheduled) -> None:
    """What never stops M EMS, a check, a recovery, a first deployment; the second one waits."""
    for activity in ("backup", "recover", "deploy"):
        assert scheduled.order(activity, TUESDAY).state is State.QUEUED, activity
    assert scheduled.order("patch", TUESDAY, check=True).state is State.QUEUED
    scheduled.work(scheduled.queued[2], TUESDAY)
    assert scheduled.order("deploy", TUESDAY).planned_at == FRIDAY_NIGHT


def test_longer_than_any_window_is_refused(scheduled: Scheduled) -> None:
    """It would wait for ever; the reason names both lengths."""
    scheduled.agree("minutes: 45", "minutes: 420")
    with pytest.raises(NotCovered, match="it takes 7 h, and no window is open for more than 6 h"):
        scheduled.order("patch", TUESDAY)
    assert scheduled.held() == 0


def test_an_approval_in_time_waits_for_the_window(scheduled: Scheduled, tmp_path: Path) -> None:
    """Approved on Tuesday it runs on Friday; a second decision has nothing to decide."""
    (tmp_path / "plan").mkdir()
    run = scheduled.order("resize", TUESDAY, plan=tmp_path / "plan")
    assert (run.state, run.planned_at, run.wants_decision) == (State.WAITING, FRIDAY_NIGHT, True)
    agreed = approval.approve(
        scheduled.engine, run.id, by="R. Weber", why="", now=TUESDAY, enqueue=scheduled.enqueue
    )
    assert (agreed.state, agreed.wants_decision, scheduled.queued) == (State.WAITING, False, [])
    with pytest.raises(UsageError, match="waits for no decision"):
        approval.reject(scheduled.engine, run.id, by="R. Weber", why="no", now=TUESDAY)
    scheduled.release(FRIDAY_NIGHT)
    assert scheduled.queued == [run.id]


def test_an_approval_that_comes_late_finds_another_window(scheduled: Scheduled, tmp_path: Path) -> None:
    """Undecided in the open window it waits on; after it, it moves; approved in a window it goes at once."""
    (tmp_path / "plan").mkdir()
    run = scheduled.order("resize", TUESDAY, plan=tmp_path / "plan")
    assert scheduled.release(FRIDAY_NIGHT + MINUTE) == []
    scheduled.release(FRIDAY_NIGHT + timedelta(hours=8))
    assert scheduled.run(run.id).planned_at == SATURDAY_NIGHT
    approved = approval.approve(
        scheduled.engine,
        run.id,
        by="R. Weber",
        why="",
        now=SATURDAY_NIGHT + MINUTE,
        enqueue=scheduled.enqueue,
    )
    assert (approved.state, scheduled.queued) == (State.QUEUED, [run.id])


def test_two_workers_release_it_once(scheduled: Scheduled) -> None:
    """Eight at the same moment, for two runs that go and one that moves: each once."""
    go = [scheduled.order(each, TUESDAY, planned_at=FRIDAY_NIGHT).id for each in ("backup", "check")]
    moves = scheduled.order("patch", TUESDAY)
    late = FRIDAY_NIGHT + timedelta(hours=8)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(scheduled.release, late) for _ in range(8)]:
            done.result()
    assert Counter(scheduled.queued) == dict.fromkeys(go, 1)
    assert scheduled.postings(moves.id) == ["hold", "void", "hold"]
    assert scheduled.held() == PATCH_SECONDS


def test_one_that_can_not_be_released_keeps_no_other_waiting(scheduled: Scheduled) -> None:
    """Its hold is gone, whatever became of it: that is told each time, and the others go."""
    broken = scheduled.order("patch", TUESDAY)
    with scheduled.engine.begin() as connection:
        ledger.void(connection, f"run:{broken.id}", "a test", TUESDAY)
        ledger.hold(
            connection,
            scheduled.contract,
            scheduled.contract.terms("patch"),
            f"run:{broken.id}/2",
            seconds=60,
            planned_at=TUESDAY,
            now=TUESDAY,
        )
        ledger.settle(
            connection,
            scheduled.contract,
            f"run:{broken.id}/2",
            60,
            scheduled.contract.terms("patch"),
            now=TUESDAY,
        )
    other = scheduled.order("backup", TUESDAY, planned_at=SATURDAY_NIGHT - 12 * HOUR)
    for _ in range(2):
        with pytest.raises(InvalidInput, match=broken.id):
            scheduled.release(SATURDAY_NIGHT - 12 * HOUR)
        assert scheduled.queued == [other.id]


def test_nobody_takes_it_in_its_window(scheduled: Scheduled) -> None:
    """Released, and found on Sunday: it does not begin; an emergency does, whatever the day."""
    run = scheduled.order("patch", TUESDAY)
    scheduled.release(FRIDAY_NIGHT)
    sunday = SATURDAY_NIGHT + timedelta(hours=15)
    with pytest.raises(beginning.TooLate, match=r"no worker took it in its window.*Sunday 2026-11-29 13:00"):
        beginning.begin(scheduled.settings, scheduled.engine, run.id, sunday)
    assert scheduled.run(run.id).state is State.QUEUED
    urgent = scheduled.order("patch", TUESDAY, urgent="a hole")
    beginning.begin(scheduled.settings, scheduled.engine, urgent.id, sunday)
    assert scheduled.run(urgent.id).state is State.RUNNING


def test_one_follows_a_run_that_begins_soon(scheduled: Scheduled) -> None:
    """Without a worker that stays, whoever waits for it releases it; later ones are not waited for."""
    now = datetime.now(UTC)
    soon = scheduled.order("backup", now, planned_at=now + timedelta(seconds=1))
    said: list[str] = []
    run = following.to_its_time(scheduled.engine, soon, said.append, scheduled.enqueue)
    assert (run.state, scheduled.queued, len(said)) == (State.QUEUED, [soon.id], 1)
    later = scheduled.order("backup", now, planned_at=now + timedelta(hours=1))
    assert following.to_its_time(scheduled.engine, later, said.append, scheduled.enqueue) == later
