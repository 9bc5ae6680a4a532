"""Percentiles of weighted samples, and the same without the day that raises them most."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from orchestrator.sizing.load import Series, day_of


class Sample(NamedTuple):
    """A value with its weight, and the day it belongs to."""

    value: float
    weight: float
    day: date


def decayed(series: Series, now: datetime, half_life: timedelta) -> list[Sample]:
    """Samples whose weight halves with every `half_life` of age, as in the VPA's decaying histogram."""
    return [Sample(point.value, 0.5 ** ((now - point.at) / half_life), day_of(point.at)) for point in series]


def equal(series: Series) -> list[Sample]:
    """Samples of weight 1."""
    return [Sample(point.value, 1.0, day_of(point.at)) for point in series]


def percentile(samples: Sequence[Sample], share: float) -> float:
    """The least value that no more than 1 - `share` of the weight lies above; 0 without samples."""
    return _walk(sorted(samples, reverse=True), share, None)[0]


def recurring_percentile(samples: Sequence[Sample], share: float) -> float:
    """The percentile without the one day that raises it most: what happened on a single day is a burst.

    0 when there is only one day.
    """
    ordered = sorted(samples, reverse=True)
    whole, top = _walk(ordered, share, None)
    return min([whole, *(_walk(ordered, share, day)[0] for day in top)])


def _walk(ordered: Sequence[Sample], share: float, without: date | None) -> tuple[float, set[date]]:
    """The percentile of samples (highest first) without a day, and the days met on the way to it."""
    kept = [sample for sample in ordered if sample.day != without]
    room = (1 - share) * sum(sample.weight for sample in kept)
    days: set[date] = set()
    for value, weight, day in kept:
        days.add(day)
        room -= weight
        if room < 0:
            return value, days
    return (kept[-1].value if kept else 0.0), days
