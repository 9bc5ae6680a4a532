"""The first moment at which a run of some length may begin: in a window, on open days, long enough."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from orchestrator.contracts.model import Contract
from orchestrator.schedule import windows
from orchestrator.schedule.closures import Reason, Why, closed

YEAR = timedelta(days=366)


class Place(NamedTuple):
    """`at`: when it may begin (UTC), or None. `reasons`: why not at the wished time, in order, each once."""

    at: datetime | None
    reasons: tuple[Reason, ...]


def first_place(
    contract: Contract, wished: datetime, lasts: timedelta, before: datetime | None = None
) -> Place:
    """The first moment from `wished` on, before `before` (or a year later), with room for `lasts`.

    Room is one unbroken stretch of open windows, without freezes, holidays and days outside the term.
    """
    if reason := too_long(contract, lasts):
        return Place(None, (reason,))
    limit = before or wished + YEAR
    reasons: dict[Reason, None] = {}  # a set that keeps its order
    for begin, end, reason in _gaps_and_rooms(contract, wished, limit + lasts, lasts):
        if begin >= limit:
            break
        if reason:
            reasons[reason] = None
        elif end - begin >= lasts:
            return Place(begin.astimezone(UTC), tuple(reasons))
        else:
            reasons[_too_short(contract, end, end - begin, lasts)] = None
        if reason and reason.why is Why.TERM and _is_over(contract, begin):
            return Place(None, tuple(reasons))
    reasons[Reason(Why.NO_PLACE, "no window has room for it within a year")] = None
    return Place(None, tuple(reasons))


def too_long(contract: Contract, lasts: timedelta) -> Reason | None:
    """That no window of an ordinary week has room for `lasts`; None when one has."""
    longest = windows.longest(contract.maintenance_windows)
    if longest is None or lasts <= longest:
        return None
    words = f"it takes {minutes(lasts)}, and no window is open for more than {minutes(longest)}"
    return Reason(Why.TOO_LONG, words)


def is_one_room(contract: Contract, start: datetime, until: datetime) -> bool:
    """Whether work that can stop M EMS may run from `start` to `until` without a break."""
    begin, end, reason = next(_gaps_and_rooms(contract, start, until, until - start))
    return reason is None and begin == start and end >= until


def _gaps_and_rooms(
    contract: Contract, start: datetime, until: datetime, enough: timedelta
) -> Iterator[tuple[datetime, datetime, Reason | None]]:
    """(from, to, why closed or None): neighbours that are open are one room, up to what is enough."""
    room: datetime | None = None
    end = start
    zone, is_first = contract.zone, True
    for begin, end, open_ in windows.stretches(contract.maintenance_windows, zone, start, until):
        reason = closed(contract, begin.astimezone(zone).date())
        if open_ and reason is None:
            room = room or begin
            if end - room >= enough:
                yield room, end, None
                room = None
        else:
            if room:
                yield room, begin, None
                room = None
            if reason and (open_ or reason.why is Why.TERM):
                yield begin, end, reason
            elif is_first:
                yield begin, end, _outside(contract, begin)
        is_first = False
    if room:
        yield room, end, None


def _outside(contract: Contract, at: datetime) -> Reason:
    return Reason(Why.WINDOW, f"{local(contract, at)} is outside the maintenance windows")


def _too_short(contract: Contract, end: datetime, left: timedelta, lasts: timedelta) -> Reason:
    words = f"{minutes(lasts)} do not fit into the {minutes(left)} that are open until {local(contract, end)}"
    return Reason(Why.SHORT, words)


def _is_over(contract: Contract, at: datetime) -> bool:
    end = contract.term.end
    return end is not None and at.astimezone(contract.zone).date() > end


def local(contract: Contract, at: datetime) -> str:
    """A moment on the contract's clock: `Saturday 2026-12-12 22:30`."""
    return f"{at.astimezone(contract.zone):%A %Y-%m-%d %H:%M}"


def minutes(length: timedelta) -> str:
    """`45 minutes`, `2 h`, `1 h 30 min`."""
    hours, rest = divmod(int(length.total_seconds()) // 60, 60)
    if not hours:
        return f"{rest} minutes"
    return f"{hours} h {rest} min" if rest else f"{hours} h"
