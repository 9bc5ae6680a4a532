"""What a server carried: series of measured values, as history.py reads them and the rules judge them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Point(NamedTuple):
    """`value` describes the time up to `at` (UTC): an hour in `Hourly`, some seconds in `Recent`."""

    at: datetime
    value: float


Series = tuple[Point, ...]


@dataclass(frozen=True)
class Hourly:
    """One value for each whole hour, oldest first; an hour without data has no point, an absent series none.

    CPUs in CPUs, memory and disk in bytes, waiting as a share of the time (0 to 1) in which at least one task
    waited for the resource (PSI `some`), response in seconds (95 % of requests were quicker).
    """

    cpu: Series = ()  # mean
    cpu_peak: Series = ()  # the highest 5 minutes
    cpu_waiting: Series = ()
    memory: Series = ()  # the highest working set: without what the kernel can take back
    memory_waiting: Series = ()
    oom_kills: Series = ()  # how many in this hour
    disk_used: Series = ()
    disk_size: Series = ()
    response: Series = ()
    cpus: Series = ()  # the specification as the server sees it
    memory_total: Series = ()


@dataclass(frozen=True)
class Recent:
    """The last minutes in steps of seconds; units as in `Hourly`."""

    cpu: Series = ()
    cpu_waiting: Series = ()
    response: Series = ()


@dataclass(frozen=True)
class Load:
    """One server's history and its load of now."""

    server: str
    customer: str
    hourly: Hourly
    recent: Recent = Recent()


def between(series: Series, start: datetime, end: datetime) -> Series:
    """The points with start < at <= end."""
    return tuple(point for point in series if start < point.at <= end)


def days_of(series: Series) -> Iterator[tuple[date, Series]]:
    """The points of each day (UTC) that has any, oldest first; midnight's value ends the day before."""
    for day, points in groupby(series, key=lambda point: day_of(point.at)):
        yield day, tuple(points)


def by_day(series: Series) -> Iterator[tuple[date, list[float]]]:
    """The values of each day (UTC) that has any, oldest first."""
    return ((day, values(points)) for day, points in days_of(series))


def day_of(at: datetime) -> date:
    """The day (UTC) that the time up to `at` belongs to."""
    return (at - timedelta(microseconds=1)).date()


def values(points: Iterable[Point]) -> list[float]:
    """The bare values."""
    return [point.value for point in points]
