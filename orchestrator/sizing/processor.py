"""How many CPUs a server's load needs, from its history."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean, median

from orchestrator.sizing import words
from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.load import DAY, HOUR, Hourly, Point, Series, between, by_day, day_of, values
from orchestrator.sizing.margins import Margins, Moment
from orchestrator.sizing.percentiles import decayed, equal, percentile, recurring_percentile

_MONTH_ENDS_WITHIN = timedelta(days=92)
_YEAR_ENDS_WITHIN = timedelta(days=400)
_AROUND_MONTH_END = timedelta(days=3)
_HOURS_FOR_MONTH_END = 24
_BATCH_WITHIN = timedelta(days=28)
_DAYS_FOR_BATCH = 7


@dataclass(frozen=True)
class MonthEnd:
    """The busiest turn of a month: its first day (UTC), and the CPUs that 95 % of its hours stayed within."""

    turn: datetime
    cpus: float


@dataclass(frozen=True)
class CpuNeed:
    """In CPUs. `peak` must fit into a specification's CPUs, `sustained` into what it gives all the time."""

    typical: float
    rare: float
    month_end: MonthEnd | None
    daily: float
    burst: float
    peak: float
    sustained: float


def demand(hourly: Hourly, spec: Spec | None, margins: Margins) -> Series:
    """CPU use, and where the server was saturated what it would have used: use x (1 + share of time waiting).

    Use can't exceed capacity. With half of the time waiting, at least half as much again was wanted.
    """
    waiting = dict(hourly.cpu_waiting)
    capacity = dict(hourly.cpus)
    return tuple(
        Point(
            point.at, wanted(point.value, waiting.get(point.at, 0.0), capacity.get(point.at), spec, margins)
        )
        for point in hourly.cpu
    )


def wanted(use: float, waiting: float, seen: float | None, spec: Spec | None, margins: Margins) -> float:
    """The demand behind one measured use; `seen` is the number of CPUs as the server saw it then."""
    capacity = seen if seen is not None else spec.cpus if spec else None
    if capacity is None or waiting < margins.saturated_waiting:
        return use
    sustained = capacity * (spec.baseline if spec else 1.0)
    return use * (1 + waiting) if use >= margins.saturated_use * sustained else use


def cpu_need(load: Series, moment: Moment) -> CpuNeed:
    """The need of a demand (see above): each measure divided by how full the CPUs may be with it."""
    now, margins = moment.now, moment.margins
    rare = decayed(load, now, margins.rare_half_life)
    typical = recurring_percentile(decayed(load, now, margins.typical_half_life), 0.95)
    rarest = recurring_percentile(rare, 0.995)
    month_end = busiest_month_end(load, now)
    daily = _daily(load, now)
    peak = max(
        typical / margins.typical_use,
        rarest / margins.rare_use,
        month_end.cpus / margins.month_end_use if month_end else 0.0,
    )
    burst = percentile(rare, 0.995)
    return CpuNeed(typical, rarest, month_end, daily, burst, peak, daily / margins.sustained_use)


def month_ends(now: datetime) -> list[datetime]:
    """The turns of months (UTC) that count: of the last three months, and of the year."""
    turns = [
        datetime(year, month, 1, tzinfo=UTC)
        for year in (now.year - 1, now.year, now.year + 1)
        for month in range(1, 13)
    ]
    return [
        turn
        for turn in turns
        if timedelta() <= now - turn + _AROUND_MONTH_END
        and now - turn <= (_YEAR_ENDS_WITHIN if turn.month == 1 else _MONTH_ENDS_WITHIN)
    ]


def busiest_month_end(load: Series, now: datetime) -> MonthEnd | None:
    """Three days before to three after each turn of a month; None when none of them was seen for a day."""
    found = []
    for turn in month_ends(now):
        days = between(load, turn - _AROUND_MONTH_END, turn + _AROUND_MONTH_END)
        if len(days) >= _HOURS_FOR_MONTH_END:
            found.append(MonthEnd(turn, percentile(equal(days), 0.95)))
    return max(found, key=lambda each: each.cpus, default=None)


def _daily(load: Series, now: datetime) -> float:
    """The mean of the second busiest day: of the last 28 days, or around a turn of a month that counts."""
    spans = [(now - 28 * DAY, now)]
    spans += [(turn - _AROUND_MONTH_END, turn + _AROUND_MONTH_END) for turn in month_ends(now)]
    counted = tuple(point for point in load if any(start < point.at <= end for start, end in spans))
    means = sorted(fmean(hours) for _, hours in by_day(counted) if len(hours) >= 12)
    return means[-2] if len(means) > 1 else sum(means)


def cpu_reasons(need: CpuNeed, margins: Margins) -> list[str]:
    """The need in sentences, with the numbers it comes from."""
    told = [
        f"CPU: 95 % of the hours need at most {words.cpus(need.typical)} (half-life "
        f"{margins.typical_half_life.days} days); with {words.percent(1 - margins.typical_use)} headroom "
        f"{words.cpus(need.typical / margins.typical_use)}",
        f"CPU: 99.5 % of the hours need at most {words.cpus(need.rare)}; with "
        f"{words.percent(1 - margins.rare_use)} headroom {words.cpus(need.rare / margins.rare_use)}",
    ]
    if need.month_end:
        told.append(
            f"CPU: at the turn to {need.month_end.turn:%Y-%m}, the busiest, 95 % of the hours need at most "
            f"{words.cpus(need.month_end.cpus)}; with {words.percent(1 - margins.month_end_use)} headroom "
            f"{words.cpus(need.month_end.cpus / margins.month_end_use)}"
        )
    if need.burst > need.rare * 1.1:
        told.append(
            f"CPU: a burst of {words.cpus(need.burst)} happened on a single day: that is no reason to grow"
        )
    return told


def batch_reasons(hourly: Hourly, moment: Moment) -> list[str]:
    """Work that fills a part of the same hour of most days; a sentence about each such hour."""
    peaks = between(hourly.cpu_peak, moment.now - _BATCH_WITHIN, moment.now)
    means = dict(hourly.cpu)
    days = len({day_of(point.at) for point in peaks})
    usual = median(means.values()) if means else 0.0
    slots: dict[int, list[tuple[float, float]]] = {}
    for at, peak in peaks:
        mean = means.get(at, peak)
        if peak > 2 * usual and peak > 1.5 * mean:
            slots.setdefault((at - HOUR).astimezone(moment.zone).hour, []).append((mean, peak))
    return [
        _batch_words(hour, found, days, usual)
        for hour, found in sorted(slots.items())
        if days >= _DAYS_FOR_BATCH and len(found) >= 0.5 * days
    ]


def _batch_words(hour: int, found: list[tuple[float, float]], days: int, usual: float) -> str:
    """`found`: mean and peak of the hour on each of its days."""
    minutes = median(60 * (mean - usual) / (peak - usual) for mean, peak in found)
    peak = median(peak for _, peak in found)
    return (
        f"CPU: on {len(found)} of {words.many(days, 'day')} a batch uses {words.cpus(peak)} in the hour from "
        f"{hour:02}:00 for about {max(5, round(minutes / 5) * 5)} minutes: that is no reason to grow"
    )


def busy_at_this_hour(hourly: Hourly, now: datetime, full: float) -> bool:
    """On at least half of the last 14 days the CPUs were full for a part of this hour of the day too."""
    earlier = between(hourly.cpu_peak, now - 14 * DAY, now - HOUR)
    same = values(point for point in earlier if (point.at - HOUR).hour == now.hour)
    return bool(same) and sum(value >= full for value in same) >= 0.5 * len(same)
