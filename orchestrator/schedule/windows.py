"""Maintenance windows: is one open, and when does the next one open?

A window is open when a clock on the customer's wall shows a time in it: from its start on, until its end. So
on the night the clocks go back, an hour that is shown twice is open twice; when they go forward, an hour that
is never shown does not happen.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from orchestrator.contracts.model import DAYS, Window

_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
# A weekly window that a change of the clocks swallows comes back a week later.
_HORIZON_DAYS = 15


def is_open(windows: Sequence[Window], zone: ZoneInfo, at: datetime) -> bool:
    """Whether one of the windows is open at the aware time `at`."""
    local = _aware(at).astimezone(zone)
    clock = f"{local:%H:%M}"
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    return any(_shows(window, clock, today, yesterday) for window in windows)


def next_opening(windows: Sequence[Window], zone: ZoneInfo, at: datetime) -> datetime | None:
    """`at` itself when a window is open, else the first moment (UTC) one opens; None without windows."""
    now = _aware(at).astimezone(UTC)
    if is_open(windows, zone, now):
        return now
    today = now.astimezone(zone).date()
    for number in range(_HORIZON_DAYS):
        moments = sorted(_moments(windows, zone, today + number * _DAY))
        for moment in moments:
            if moment > now and is_open(windows, zone, moment):
                return moment
    return None


def stretches(
    windows: Sequence[Window], zone: ZoneInfo, start: datetime, until: datetime
) -> Iterator[tuple[datetime, datetime, bool]]:
    """(from, to, open?) in UTC, end to end from the aware `start` to the first midnight after `until`.

    None crosses midnight, so each lies on one local day; neighbours may be of the same kind.
    """
    begin = _aware(start).astimezone(UTC)
    last = _aware(until).astimezone(zone).date()
    day = begin.astimezone(zone).date()
    while day <= last:
        following = _moment(day + _DAY, "00:00", zone)
        for end in sorted({*_moments(windows, zone, day), following}):
            if begin < end <= following:
                yield begin, end, is_open(windows, zone, begin)
                begin = end
        day += _DAY


def longest(windows: Sequence[Window]) -> timedelta | None:
    """The longest time that windows are open without a break in an ordinary week; None: they never close."""
    return _longest(tuple(windows))


@lru_cache
def _longest(windows: tuple[Window, ...]) -> timedelta | None:
    monday, utc = datetime(2024, 1, 1, tzinfo=UTC), ZoneInfo("UTC")
    found = running = timedelta()
    for begin, end, open_ in stretches(windows, utc, monday, monday + 3 * _WEEK - _DAY):
        running = running + (end - begin) if open_ else timedelta()
        found = max(found, running)
    return None if found > _WEEK else found


def _shows(window: Window, clock: str, today: str, yesterday: str) -> bool:
    if window.start < window.end:
        return today in window.days and window.start <= clock < window.end
    return (today in window.days and clock >= window.start) or (
        yesterday in window.days and clock < window.end
    )


def _moments(windows: Sequence[Window], zone: ZoneInfo, day: date) -> set[datetime]:
    """When a window may open or close on a local day, in UTC: midnight too; any minute if clocks change."""
    midnight, next_midnight = _moment(day, "00:00", zone), _moment(day + _DAY, "00:00", zone)
    length = next_midnight - midnight
    if length == _DAY:
        clocks = {clock for window in windows for clock in (window.start, window.end)} - {"24:00"}
        return {midnight, *(_moment(day, clock, zone) for clock in clocks)}
    return {midnight + timedelta(minutes=minute) for minute in range(length // timedelta(minutes=1))}


def _moment(day: date, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone is in no window")
    return at
