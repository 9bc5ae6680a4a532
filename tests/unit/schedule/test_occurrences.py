"""What must hold of every schedule, whatever the contract says; each rule is said here another way."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.contracts.model import DAYS, Contract
from orchestrator.schedule.clock import moment
from orchestrator.schedule.closures import Why
from orchestrator.schedule.occurrences import catch_up, expected, fates, occurrences, scheduled
from orchestrator.schedule.windows import is_open
from tests.unit.schedule.agreements import agreement

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from((0, 15, 30, 59)))
RULES = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3",
        "FREQ=WEEKLY;BYDAY=SA,SU",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=-1SU",
        "FREQ=MONTHLY;BYMONTHDAY=1,28,29",
        "FREQ=DAILY;COUNT=9",
        "FREQ=DAILY;UNTIL={:%Y%m%d}",
    ]
)
# Where, and the first day of some weeks in which the clocks change there: or never do.
PLACES = st.sampled_from(
    [
        ("Europe/Berlin", date(2026, 3, 24)),
        ("Europe/Berlin", date(2026, 10, 20)),
        ("America/Santiago", date(2026, 3, 31)),
        ("America/Santiago", date(2026, 9, 1)),
        ("Africa/Cairo", date(2026, 4, 20)),
        ("Australia/Lord_Howe", date(2026, 4, 1)),
        ("Australia/Lord_Howe", date(2026, 9, 30)),
        ("Asia/Kathmandu", date(2026, 12, 26)),
    ]
)


def week_of(facts: list[tuple[set[str], str, str]]) -> str:
    short = [
        f"{','.join(sorted(day[:3] for day in days))} {start}-{end}"
        for days, start, end in facts
        if start != end
    ]
    return "; ".join(short) or "sun 01:00-05:00"


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Contract, datetime]:
    """A contract, and a moment from which some weeks of it are looked at."""
    zone, first = draw(PLACES)
    shut = draw(st.lists(st.integers(0, 25), max_size=4))
    freeze = draw(st.tuples(st.integers(0, 20), st.integers(0, 9)))
    window = st.tuples(st.sets(st.sampled_from(DAYS), min_size=1), CLOCKS, CLOCKS)
    contract = agreement(
        draw(st.sampled_from(["patch", "backup"])),
        draw(RULES).format(first + 8 * DAY),
        draw(CLOCKS),
        draw(st.sampled_from((1, 30, 45, 120, 300))),
        zone=zone,
        open_=week_of(draw(st.lists(window, min_size=1, max_size=2))),
        term={"start": str(first - 9 * DAY), "end": draw(st.sampled_from((None, str(first + 17 * DAY))))},
        holidays={"dates": [str(first + day * DAY) for day in sorted(set(shut))]},
        freezes=[
            {
                "from": str(first + freeze[0] * DAY),
                "until": str(first + sum(freeze) * DAY),
                "why": "stocktaking",
            }
        ],
    )
    start = datetime.combine(first, time(), ZoneInfo(zone)).astimezone(UTC)
    return contract, start + draw(st.integers(0, 1440)) * MINUTE


def activity_of(contract: Contract) -> str:
    return next(iter(contract.activities))


def has_room(contract: Contract, at: datetime, lasts: timedelta) -> bool:
    """The rule, said another way: in each of its minutes a window is open, on a day that nothing closes."""
    for number in range(lasts // MINUTE):
        minute = at + number * MINUTE
        day = minute.astimezone(contract.zone).date()
        if not is_open(contract.maintenance_windows, contract.zone, minute) or not contract.covers(minute):
            return False
        if day in contract.holidays.dates or any(freeze.holds_on(day) for freeze in contract.freezes):
            return False
    return True


@settings(max_examples=40, deadline=None)
@given(schedules())
def test_never_outside_a_window_and_never_later_than_it_must(drawn: tuple[Contract, datetime]) -> None:
    """What can stop M EMS lies in open windows to its last minute, at the first such moment."""
    contract, start = drawn
    activity = activity_of(contract)
    for each in occurrences(contract, activity, start, start + 20 * DAY):
        if each.planned is None:
            continue
        if activity == "backup":
            assert each.planned == each.due
            continue
        assert has_room(contract, each.planned, each.lasts)
        earlier = max(each.due, each.planned - 2 * DAY)
        while earlier < each.planned:
            assert not has_room(contract, earlier, each.lasts)
            earlier += (
                15 * MINUTE if earlier.minute % 15 == 0 and each.planned - earlier > 60 * MINUTE else MINUTE
            )


@settings(max_examples=30, deadline=None)
@given(schedules())
def test_in_order_and_none_twice(drawn: tuple[Contract, datetime]) -> None:
    """Strictly one after the other, each with its own name, none early or outside the term."""
    contract, start = drawn
    found = occurrences(contract, activity_of(contract), start, start + 40 * DAY)
    assert len({each.uid for each in found}) == len(found)
    moments = [each.when for each in found]
    assert moments == sorted(set(moments))
    planned = [each.planned for each in found if each.planned]
    assert all(contract.covers(at) for at in planned)
    assert all(each.planned >= each.due for each in found if each.planned)


@settings(max_examples=50, deadline=None)
@given(schedules(), st.lists(st.integers(0, 30 * 1440), max_size=5))
def test_every_occurrence_once_under_any_split(drawn: tuple[Contract, datetime], cuts: list[int]) -> None:
    """However the asked interval is cut, the parts hold what the whole holds."""
    contract, start = drawn
    activity = activity_of(contract)
    ends = [start, *(start + cut * MINUTE for cut in sorted(cuts)), start + 30 * DAY]
    parts = [each for begin, end in pairwise(ends) for each in fates(contract, activity, begin, end)]
    assert parts == fates(contract, activity, start, start + 30 * DAY)


@settings(max_examples=30, deadline=None)
@given(schedules())
def test_no_day_of_the_rule_is_forgotten(drawn: tuple[Contract, datetime]) -> None:
    """Each day that the rule names in the term is planned, left to the next, or told as impossible."""
    contract, start = drawn
    activity = activity_of(contract)
    recurrence = contract.recurrence(activity)
    assert recurrence
    last = (start + 25 * DAY).astimezone(contract.zone).date()
    wanted = []
    for day in recurrence.days():
        if day > min(last, contract.term.end or last):
            break
        wanted.append(day)
    told = fates(contract, activity, start - 30 * DAY, start + 300 * DAY)
    assert [each.nominal.date() for each in told if each.nominal.date() <= last] == wanted
    assert all(each.reasons for each in told if each.planned != each.due)


@settings(max_examples=50, deadline=None)
@given(schedules(), st.integers(0, 20 * 1440), st.integers(1, 10 * 1440))
def test_one_run_at_most_makes_up_for_what_was_missed(
    drawn: tuple[Contract, datetime], down: int, minutes: int
) -> None:
    """It is one of the missed, runs from now on, in a window, and is over before the next one begins."""
    contract, start = drawn
    activity = activity_of(contract)
    since = start + down * MINUTE
    now = since + minutes * MINUTE
    missed = [each for each in occurrences(contract, activity, since, now) if each.planned]
    made_up = catch_up(contract, activity, since, now)
    if made_up is None:
        return
    assert made_up.planned is not None
    assert made_up.uid == missed[-1].uid
    assert made_up.planned >= now
    assert any(reason.why is Why.MISSED for reason in made_up.reasons)
    assert activity == "backup" or has_room(contract, made_up.planned, made_up.lasts)
    following = [
        each.planned for each in occurrences(contract, activity, now, now + 60 * DAY) if each.planned
    ]
    assert all(made_up.planned + made_up.lasts <= at for at in following)


@settings(max_examples=50, deadline=None)
@given(PLACES, st.integers(0, 14 * 1440))
def test_the_clock_is_the_one_on_the_wall(place: tuple[str, date], minute: int) -> None:
    """Read minute by minute from a day before: the first moment that shows it, or a later time."""
    zone = ZoneInfo(place[0])
    nominal = datetime.combine(place[1], time()) + minute * MINUTE
    at = nominal.replace(tzinfo=zone).astimezone(UTC) - 3 * 60 * MINUTE
    while at.astimezone(zone).replace(tzinfo=None) < nominal:
        at += MINUTE
    assert moment(nominal, zone).at == at


def test_the_uid_stays_when_the_hour_moves() -> None:
    """The worker orders under it, and a calendar keeps its entry: another hour is no other run."""
    interval = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    ((early,), (late,)) = (occurrences(agreement(at=at), "patch", *interval) for at in ("22:30", "23:00"))
    assert early.uid == late.uid == "acme-patch-2026-12-12"
    assert early.planned != late.planned


def test_a_measured_length_counts_instead_of_the_expected_one() -> None:
    """A run that has come to take three hours no longer fits at 02:00."""
    contract = agreement(at="02:00")
    interval = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    (short,) = occurrences(contract, "patch", *interval)
    (measured,) = occurrences(contract, "patch", *interval, lasts=timedelta(hours=3))
    assert (short.planned, expected(contract, "patch")) == (
        datetime(2026, 12, 11, 22, tzinfo=UTC),
        45 * MINUTE,
    )
    assert measured.planned == datetime(2026, 12, 12, 18, tzinfo=UTC)


def test_what_comes_round_when_the_contract_says_nothing() -> None:
    """The defaults: check, backup, drill and patch."""
    assert scheduled(agreement(activity="update")) == ["check", "backup", "drill", "patch", "update"]


@pytest.mark.parametrize("activity", ["deploy", "patch"])
def test_nothing_in_an_empty_interval_or_without_a_rule(activity: str) -> None:
    """No rule, no occurrence; an interval that ends where it starts holds none."""
    start = datetime(2026, 12, 12, 18, 30, tzinfo=UTC)
    assert occurrences(agreement(), activity, start, start) == []
    assert occurrences(agreement(), "deploy", start, start + 900 * DAY) == []


def test_a_time_without_zone_is_refused() -> None:
    """A naive time could be any moment; using one is a fault of ours."""
    with pytest.raises(ValueError, match="without a zone"):
        occurrences(agreement(), "patch", datetime(2026, 6, 1), datetime(2026, 7, 1))  # noqa: DTZ001  refused
