"""Somebody stops a run, on both databases: nothing ran and its hours go back, or it is told to end."""

import pytest

from orchestrator.errors import UsageError
from orchestrator.runs import beginning, outcome, view
from orchestrator.runs.cancelling import cancel
from orchestrator.runs.states import Event, State

from .conftest import House
from .scheduled import FRIDAY_NIGHT, PATCH_SECONDS, TUESDAY, Scheduled

WHO = {"by": "K. Brandt", "why": "the month's end"}


def test_waiting_or_queued_it_ends_at_once(scheduled: Scheduled) -> None:
    """With who and why; its hours go back; nobody can begin it any more."""
    waits, queued = scheduled.order("patch", TUESDAY), scheduled.order("patch", TUESDAY, urgent="a hole")
    for run in (waits, queued):
        ended = cancel(scheduled.engine, run.id, **WHO, now=TUESDAY)
        assert (ended.state, ended.exit_code, ended.charged) == (State.CANCELLED, 6, 0)
        assert ended.words == "cancelled by K. Brandt: the month's end"
        assert scheduled.postings(run.id) == ["hold", "void"]
        with pytest.raises(beginning.Over, match="cancelled by"):
            beginning.begin(scheduled.settings, scheduled.engine, run.id, TUESDAY)
        with pytest.raises(UsageError, match="it has ended"):
            cancel(scheduled.engine, run.id, **WHO, now=TUESDAY)
    assert scheduled.held() == 0
    assert scheduled.release(FRIDAY_NIGHT) == []


def test_a_moved_hold_goes_back_too(scheduled: Scheduled) -> None:
    """The one that is held by now."""
    run = scheduled.order("patch", TUESDAY)
    scheduled.release(FRIDAY_NIGHT.replace(day=28, hour=12))
    cancel(scheduled.engine, run.id, **WHO, now=TUESDAY)
    assert scheduled.postings(run.id) == ["hold", "void", "hold", "void"]
    assert scheduled.held() == 0


def test_a_check_run_has_no_hold_to_give_back(scheduled: Scheduled) -> None:
    """It posts nothing."""
    run = scheduled.order("patch", TUESDAY, check=True)
    assert cancel(scheduled.engine, run.id, **WHO, now=TUESDAY).state is State.CANCELLED
    assert scheduled.postings(run.id) == []


def test_a_running_one_is_told_to_end(scheduled: Scheduled) -> None:
    """The first who asks is noted; its hold stays until it has ended, and what it used is settled."""
    run = scheduled.order("patch", TUESDAY, urgent="a hole")
    beginning.begin(scheduled.settings, scheduled.engine, run.id, TUESDAY)
    told = cancel(scheduled.engine, run.id, **WHO, now=TUESDAY)
    assert (told.state, told.stop) == (State.RUNNING, WHO | {"at": TUESDAY.isoformat()})
    again = cancel(scheduled.engine, run.id, by="another", why="too", now=TUESDAY)
    assert again.stop == told.stop
    assert "told to end by K. Brandt: the month's end" in view.standing(scheduled.settings, told)[1]
    assert scheduled.held() == PATCH_SECONDS
    outcome.settle(scheduled.settings, scheduled.engine, run.id, Event.CANCEL, "ended", now=TUESDAY)
    assert (scheduled.run(run.id).state, scheduled.held()) == (State.CANCELLED, 0)


def test_it_is_somebodys_and_has_a_reason(scheduled: Scheduled) -> None:
    """Neither may be empty."""
    run = scheduled.order("patch", TUESDAY)
    for who in ({"by": " ", "why": "x"}, {"by": "x", "why": " "}):
        with pytest.raises(UsageError, match="needs its reason"):
            cancel(scheduled.engine, run.id, **who, now=TUESDAY)
    assert view.standing(scheduled.settings, scheduled.run(run.id))[0] == "waiting"


def test_on_the_command_line(house: House) -> None:
    """A run that waits for its window: exit 6 with its time; cancelled, it is on the statement with why."""
    contract = house.folder / "repository/inventories/acme/group_vars/all/contract.yml"
    text = contract.read_text()
    # No day of this month or the next: whatever day it is, the window is closed.
    closed = "  holidays:\n    dates: [{}]\n"
    contract.write_text(text + closed.format(", ".join(_next_days(60))))
    found = house.json("run", "start", "patch", "--customer", "acme", "--key", "k", "--wait", exit_code=6)
    assert (found["state"], found["held_seconds"]) == ("waiting", PATCH_SECONDS)
    assert found["planned_at"] in house.amc("run", "list", "--json").stdout
    assert "planned   " in house.amc("run", "show", found["id"]).stdout
    house.refusal("run", "start", "patch", "--customer", "acme", "--now", exit_code=2)
    house.amc("run", "cancel", found["id"], "--why", "the month's end", "--by", "K. Brandt")
    said = house.amc("statement", "--customer", "acme", "--year", found["ordered_at"][:4]).stdout
    assert "cancelled by K. Brandt: the month's end" in " ".join(said.split())
    house.refusal("run", "cancel", found["id"], "--why", "again", exit_code=2)


def _next_days(count: int) -> list[str]:
    from datetime import UTC, datetime, timedelta

    today = datetime.now(UTC).date()
    return [str(today + timedelta(days=number - 1)) for number in range(count)]
