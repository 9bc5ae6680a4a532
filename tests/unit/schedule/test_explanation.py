"""The sentences: what the rule names, what held the run back, and that nothing lies between."""

from datetime import UTC, datetime

import pytest

from orchestrator.schedule.explanation import explain
from tests.unit.schedule.agreements import agreement

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def told(activity: str = "patch", start: datetime = DECEMBER, **more: object) -> str:
    return "\n".join(explain(agreement(activity, **more), activity, start)[1])  # type: ignore[arg-type]


def test_a_run_that_is_where_the_rule_says() -> None:
    """The rule, the day before, the window that it needs, local time and UTC."""
    assert told().splitlines() == [
        "patch of acme: the rule FREQ=MONTHLY;BYDAY=2SA at 22:30 names Saturday 2026-12-12 22:30 "
        "(Asia/Dubai).",
        "The rule's day before it is Saturday 2026-11-14.",
        "It can stop M EMS, so it needs 45 minutes of an open maintenance window, outside freezes and "
        "holidays.",
        "It runs when the rule says: Saturday 2026-12-12 22:30 (2026-12-12 18:30 UTC).",
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"at": "03:30"},
            "45 minutes do not fit into the 30 minutes that are open until Saturday 2026-12-12 04:00",
        ),
        ({"at": "10:00"}, "Saturday 2026-12-12 10:00 is outside the maintenance windows."),
        (
            {"freezes": [{"from": "2026-12-10", "until": "2026-12-20", "why": "stocktaking"}]},
            "There is a freeze from 2026-12-10 to 2026-12-20: stocktaking.\n"
            "So it runs on Friday 2026-12-25 22:00 (2026-12-25 18:00 UTC), and not earlier.",
        ),
        ({"holidays": {"dates": ["2026-12-12"]}}, "Saturday 2026-12-12 is a holiday of the customer's own."),
        ({"lasts": 420}, "It takes 7 h, and no window is open for more than 6 h."),
        ({"lasts": 420}, "So it is not planned at all"),
        ({"exceptions": ["2026-12-12"]}, "The contract leaves out 2026-12-12."),
        ({"from": "2026-12-07"}, "counted from 2026-12-07"),
        ({"from": "2026-12-07"}, "It is the rule's first."),
        ({"term": {"start": "2026-01-01", "end": "2026-12-05"}}, "The contract's term ends on 2026-12-05."),
        ({"rule": "FREQ=DAILY;UNTIL=20260401"}, "The rule FREQ=DAILY;UNTIL=20260401 names no day"),
        ({"rule": "never"}, "does not come round by itself"),
    ],
)
def test_every_reason_has_its_sentence(more: dict[str, object], words: str) -> None:
    """Each thing that moves or ends a run is said in words."""
    if more.get("rule") == "never":
        assert words in "\n".join(explain(agreement(), "deploy", DECEMBER)[1])
    else:
        assert words in told(**more)


def test_the_work_of_those_that_had_no_place() -> None:
    """Three Saturdays in a freeze: the first one after it says whose work it does."""
    freeze = [{"from": "2026-12-18", "until": "2027-01-06", "why": "stocktaking"}]
    words = told(
        start=datetime(2026, 12, 14, tzinfo=UTC),
        rule="FREQ=WEEKLY;BYDAY=SA",
        open_="sat 22:00-24:00",
        freezes=freeze,
    )
    assert "names Saturday 2027-01-09 22:30" in words
    assert "It does the work of 2026-12-19, 2026-12-26, 2027-01-02 too" in words


def test_both_nights_of_the_clocks() -> None:
    """The skipped hour and the repeated one."""
    berlin = {"rule": "FREQ=DAILY", "at": "02:30", "zone": "Europe/Berlin"}
    spring = told("backup", datetime(2026, 3, 28, 12, tzinfo=UTC), **berlin)
    assert "The clocks skip Sunday 2026-03-29 02:30, the next moment is Sunday 2026-03-29 03:00." in spring
    assert "It never stops M EMS" in spring
    autumn = told("backup", datetime(2026, 10, 24, 12, tzinfo=UTC), **berlin)
    assert "the clocks show that time twice, and the first one counts" in autumn
