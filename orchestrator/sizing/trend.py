"""A robust line through measurements: Theil and Sen's median of slopes, with its interval."""

from collections.abc import Sequence
from math import sqrt
from statistics import median
from typing import NamedTuple

_Z_95 = 1.96


class Trend(NamedTuple):
    """`slope` per unit of x, between `low` and `high` with 95 % confidence; `level` is the value at x = 0."""

    slope: float
    low: float
    high: float
    level: float


def theil_sen(points: Sequence[tuple[float, float]]) -> Trend:
    """The median slope of all pairs, Sen's interval by the variance of Kendall's S; needs two different x.

    One day's outlier, or even a quarter of them, hardly moves it: a least-squares line would follow.
    """
    slopes = sorted(
        (y - y0) / (x - x0) for i, (x0, y0) in enumerate(points) for x, y in points[i + 1 :] if x != x0
    )
    n = len(points)
    spread = _Z_95 * sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = slopes[max(0, int((len(slopes) - spread) / 2))]
    high = slopes[min(len(slopes) - 1, int((len(slopes) + spread) / 2) + 1)]
    slope = median(slopes)
    return Trend(slope, low, high, median(y - slope * x for x, y in points))
