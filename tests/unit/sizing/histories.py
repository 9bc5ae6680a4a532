"""Synthetic loads of an M EMS server, seeded: what a history looks like when its cause is known."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from orchestrator.sizing.load import HOUR, Hourly, Load, Point, Recent, Series

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)  # a Tuesday
MIB = 1024**2
GIB = 1024**3
STEP = timedelta(seconds=15)
ZONE = ZoneInfo("Asia/Dubai")


@dataclass(frozen=True)
class Erp:
    """People work on weekdays from 8 to 18 (UTC); CPUs are what they would use, MiB and GiB as named.

    `month_end` replaces `busy` from the 28th to the 2nd; `growth` is added to `busy` each day, up to now.
    `batch`: every night at 02:00 all CPUs for 20 minutes; `burst`: hours of yesterday that want four times
    the capacity; `leak`: MiB that stay allocated each hour until the restart of every sixth day.
    """

    days: int = 60
    cpus: float = 1.0
    memory_mib: int = 2048
    busy: float = 0.4
    quiet: float = 0.05
    month_end: float = 0.0
    growth: float = 0.0
    batch: bool = False
    burst: int = 0
    working_set: float = 900.0
    leak: float = 0.0
    disk: float = 6.0
    disk_growth: float = 0.02
    disk_size: float = 12.0
    seed: int = 20261124

    def load(self, now: datetime = NOW) -> Load:
        """The history up to `now`; the last minutes are quiet."""
        random = Random(self.seed)
        rows: dict[str, list[Point]] = {name: [] for name in Hourly.__dataclass_fields__}
        for at in self._times(now):
            for name, value in self._hour(at, now, random).items():
                rows[name].append(Point(at, value))
        hourly = Hourly(**{name: tuple(points) for name, points in rows.items()})
        return Load("acme-erp1", "acme", hourly, recent(now, self.quiet, 0.01, 0.08))

    def _times(self, now: datetime) -> Iterator[datetime]:
        first = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=self.days) + HOUR
        return (first + i * HOUR for i in range(24 * self.days))

    def _hour(self, at: datetime, now: datetime, random: Random) -> dict[str, float]:
        wanted = self._wanted(at - HOUR, now) * random.uniform(0.85, 1.05)
        use, waiting, response = served(wanted, self.cpus)
        peak = use
        if self.batch and (at - HOUR).hour == 2:
            peak, use = self.cpus, use + (self.cpus - use) / 3
        days = (at - now) / timedelta(days=1) + self.days
        hours_since_restart = int(days * 24) % (6 * 24)
        memory = self.working_set * random.uniform(0.97, 1.0) + self.leak * hours_since_restart
        return {
            "cpu": use,
            "cpu_peak": peak,
            "cpu_waiting": waiting,
            "memory": min(memory, self.memory_mib) * MIB,
            "memory_waiting": 0.0,
            "oom_kills": 0.0,
            "disk_used": (self.disk + self.disk_growth * days + random.uniform(-0.02, 0.02)) * GIB,
            "disk_size": self.disk_size * GIB,
            "response": response,
            "cpus": self.cpus,
            "memory_total": self.memory_mib * MIB,
        }

    def _wanted(self, start: datetime, now: datetime) -> float:
        if self.burst and now - timedelta(hours=20) <= start < now - timedelta(hours=20 - self.burst):
            return 4 * self.cpus
        if start.weekday() >= 5 or not 8 <= start.hour < 18:
            return self.quiet
        if self.month_end and (start.day >= 28 or start.day <= 2):
            return self.month_end
        return self.busy + self.growth * ((start - now) / timedelta(days=1))


def served(wanted: float, cpus: float) -> tuple[float, float, float]:
    """(use, share of time waiting, response in s) of a server that is asked for `wanted` CPUs."""
    use = min(wanted, cpus)
    waiting = min(0.9, max(0.02, wanted / cpus - 1))
    return use, waiting, 0.08 if wanted < 0.9 * cpus else min(5.0, 0.4 * (1 + waiting))


def recent(
    now: datetime, use: float, waiting: float, response: float, lasts: timedelta = timedelta(minutes=15)
) -> Recent:
    """The same load for some minutes, quiet before."""
    times = [now - i * STEP for i in range(60)][::-1]

    def series(value: float, before: float) -> Series:
        return tuple(Point(at, value if at > now - lasts else before) for at in times)

    return Recent(series(use, 0.05), series(waiting, 0.0), series(response, 0.05))


def without(load: Load, *names: str) -> Load:
    """The load as it is seen when these series do not exist."""
    return replace(load, hourly=replace(load.hourly, **dict.fromkeys(names, ())))


def with_gap(load: Load, start: datetime, end: datetime) -> Load:
    """Nothing was measured after `start` up to `end`."""
    kept = {
        name: tuple(point for point in getattr(load.hourly, name) if not start < point.at <= end)
        for name in Hourly.__dataclass_fields__
    }
    return replace(load, hourly=Hourly(**kept))


def changed(load: Load, name: str, value: float, start: datetime, end: datetime) -> Load:
    """One series with another value after `start` up to `end`."""
    points = tuple(
        Point(point.at, value if start < point.at <= end else point.value)
        for point in getattr(load.hourly, name)
    )
    return replace(load, hourly=replace(load.hourly, **{name: points}))
