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
    room = (1 - share) * sum(sample.weight for sample in samples)
    return _walk(sorted(samples, reverse=True), room, None)[0]


def recurring_percentile(samples: Sequence[Sample], share: float) -> float:
    """The percentile without the one day that raises it most: what happened on a single day is a burst.

    0 when there is only one day.
    """
    ordered = sorted(samples, reverse=True)
    weights: dict[date, float] = {}
    for sample in samples:
        weights[sample.day] = weights.get(sample.day, 0.0) + sample.weight
    total = sum(weights.values())
    whole, top = _walk(ordered, (1 - share) * total, None)
    # A day that is not among the top ones would only raise the percentile by being left out.
    without = (_walk(ordered, (1 - share) * (total - weights[day]), day)[0] for day in top)
    return min([whole, *without])


def _walk(ordered: Sequence[Sample], room: float, left_out: date | None) -> tuple[float, set[date]]:
    """The value, from the highest on, at which `room` of weight is used up; and the days met until there."""
    days: set[date] = set()
    lowest = 0.0
    for value, weight, day in ordered:
        if day == left_out:
            continue
        lowest = value
        days.add(day)
        room -= weight
        if room < 0:
            break
    return lowest, days
