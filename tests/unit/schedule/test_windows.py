"""Windows against a clock on the wall that is read minute by minute, and the nights the clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.contracts.model import DAYS, Window
from orchestrator.schedule.windows import is_open, next_opening

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


def window(days: str, start: str, end: str) -> Window:
    return Window.model_validate({"days": tuple(days.split()), "start": start, "end": end})


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-27 21:59:59", False),  # Friday
        ("2026-11-27 22:00:00", True),
        ("2026-11-28 03:59:59", True),  # Saturday, the window of Friday
        ("2026-11-28 04:00:00", False),
        ("2026-11-28 23:00:00", False),
        ("2026-11-27 03:00:00", False),  # Friday's early morning belongs to Thursday's night
    ],
)
def test_a_window_across_midnight_belongs_to_the_day_it_starts(moment: str, expected: bool) -> None:
    """Open at its start, closed at its end; the hours after midnight belong to the day before."""
    assert is_open([window("friday", "22:00", "04:00")], BERLIN, at(moment)) is expected


def test_sunday_is_the_day_before_monday() -> None:
    """A window of Sunday night is open on Monday morning."""
    assert is_open([window("sunday", "22:00", "04:00")], BERLIN, at("2026-11-30 01:00"))


def test_a_whole_day() -> None:
    """00:00 to 24:00 is open for the whole day and not a minute longer."""
    day = [window("friday", "00:00", "24:00")]
    assert [
        is_open(day, BERLIN, at(text))
        for text in ("2026-11-27 00:00", "2026-11-27 23:59", "2026-11-28 00:00")
    ] == [
        True,
        True,
        False,
    ]


def test_an_open_window_opens_now() -> None:
    """Inside a window the next opening is the asked moment itself."""
    now = at("2026-11-27 22:30:17")
    assert next_opening([window("friday", "22:00", "04:00")], BERLIN, now) == now


def test_the_nearest_of_several_windows_opens_next() -> None:
    """The windows' order does not matter."""
    windows = [window("sunday", "01:00", "05:00"), window("saturday", "20:00", "21:00")]
    assert next_opening(windows, BERLIN, at("2026-11-27 12:00")) == at("2026-11-28 20:00")


def test_a_window_that_just_closed_opens_in_a_week() -> None:
    """The end itself is outside: the same window comes back a week later."""
    windows = [window("friday", "22:00", "23:00")]
    assert next_opening(windows, BERLIN, at("2026-11-27 23:00")) == at("2026-12-04 22:00")


def test_without_windows_nothing_opens() -> None:
    """No window is no permission: closed, and no next opening."""
    assert not is_open([], BERLIN, at("2026-11-27 12:00"))
    assert next_opening([], BERLIN, at("2026-11-27 12:00")) is None


def test_clocks_go_forward() -> None:
    """Berlin has no 02:30 on 2026-03-29: a window that starts then opens with the change, at 03:00."""
    windows = [window("sunday", "02:30", "05:00")]
    assert next_opening(windows, BERLIN, at("2026-03-29 01:00")) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_window_that_the_clocks_swallow_comes_a_week_later() -> None:
    """A window inside the hour that is never shown does not happen that Sunday."""
    windows = [window("sunday", "02:15", "02:45")]
    assert next_opening(windows, BERLIN, at("2026-03-28 12:00")) == at("2026-04-05 02:15")


def test_clocks_go_back() -> None:
    """On 2026-10-25 Berlin shows 02:00 to 03:00 twice: a window until 02:30 opens a second time."""
    windows = [window("sunday", "01:00", "02:30")]
    assert not is_open(windows, BERLIN, at("2026-10-25 02:30"))
    assert next_opening(windows, BERLIN, at("2026-10-25 02:30")) == at("2026-10-25 02:00", fold=1)


def test_a_day_that_never_was() -> None:
    """Samoa skipped Friday 2011-12-30; the night after it is shown all the same, from midnight on."""
    apia = ZoneInfo("Pacific/Apia")
    opening = next_opening([window("friday", "22:00", "04:00")], apia, at("2011-12-29 12:00", apia))
    assert opening == at("2011-12-31 00:00", apia)


def test_a_time_without_zone_is_refused() -> None:
    """A naive time could be in any window; using one is a fault of ours."""
    with pytest.raises(ValueError, match="without a zone"):
        is_open([], BERLIN, datetime(2026, 6, 1))  # noqa: DTZ001  the very thing that is refused


def shows(windows: list[Window], zone: ZoneInfo, moment: datetime) -> bool:
    """The definition, said another way: minutes on the wall's clock since either day's midnight."""
    local = moment.astimezone(zone)
    for window_ in windows:
        start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (window_.start, window_.end))
        end += 1440 if end <= start else 0
        for days_ago in (0, 1):
            minute = local.hour * 60 + local.minute + days_ago * 1440
            if DAYS[(local.weekday() - days_ago) % 7] in window_.days and start <= minute < end:
                return True
    return False


CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
WINDOWS = st.lists(
    st.tuples(st.sets(st.sampled_from(DAYS), min_size=1), CLOCKS, CLOCKS | st.just("24:00"))
    .filter(lambda facts: facts[1] != facts[2])
    .map(lambda facts: window(" ".join(sorted(facts[0])), facts[1], facts[2])),
    min_size=1,
    max_size=2,
)
# Each begins a day or so before the clocks change: at night, at midnight, by half an hour, not at all.
PLACES = st.sampled_from(
    [
        ("Europe/Berlin", datetime(2026, 3, 28, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 24, tzinfo=UTC)),
        ("America/Santiago", datetime(2026, 4, 4, tzinfo=UTC)),
        ("America/Santiago", datetime(2026, 9, 5, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 4, 23, tzinfo=UTC)),
        ("Africa/Cairo", datetime(2026, 10, 29, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 3, tzinfo=UTC)),
        ("Asia/Dubai", datetime(2026, 12, 31, tzinfo=UTC)),
    ]
)


@settings(max_examples=60, deadline=None)
@given(WINDOWS, PLACES, st.integers(0, 3 * 1440))
def test_windows_agree_with_the_clock_on_the_wall(
    windows: list[Window], place: tuple[str, datetime], minute: int
) -> None:
    """From any minute around a change of the clocks, the first minute that the wall shows opens."""
    zone = ZoneInfo(place[0])
    now = place[1] + minute * MINUTE
    assert is_open(windows, zone, now) == shows(windows, zone, now)
    stepped = now
    while not shows(windows, zone, stepped):
        stepped += MINUTE
    assert next_opening(windows, zone, now) == stepped
