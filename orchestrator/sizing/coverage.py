"""Which data is missing: what makes a recommendation impossible, and what makes it weaker."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from orchestrator.sizing import words
from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.load import DAY, HOUR, Hourly, Series, between, by_day
from orchestrator.sizing.margins import Moment
from orchestrator.sizing.processor import busiest_month_end

_FULL_DAY = 12  # hours with data
_GAP = timedelta(hours=6)
_GAPS_TOLD = 3

_NEEDED = {
    "cpu": "CPU use (mems_server_cpu_seconds_total or node_cpu_seconds_total)",
    "memory": "the working set (mems_server_memory_working_set_bytes or node_memory_*)",
}
_USEFUL = {
    "cpu_waiting": "time waiting for a CPU (pressure): demand beyond the capacity can't be seen",
    "memory_waiting": "time waiting for memory (pressure)",
    "oom_kills": "kills for lack of memory",
    "response": "response times (mems_request_duration_seconds_bucket): nobody knows what users feel",
    "disk_used": "the disk's use (node_filesystem_*): no date when it is full",
}


@dataclass(frozen=True)
class Coverage:
    """`blocking` forbids a recommendation, `weakening` is said beside it. `days` have 12 hours of data.

    `share` is the part of the last 28 days' hours (or since the first value) that CPU use is known for.
    """

    blocking: tuple[str, ...]
    weakening: tuple[str, ...]
    days: int
    share: float


def coverage(hourly: Hourly, spec: Spec | None, moment: Moment) -> Coverage:
    """What is known of a server's last weeks."""
    now, margins, zone = moment.now, moment.margins, moment.zone
    blocking = [
        f"there is no series of {what}" for name, what in _NEEDED.items() if not getattr(hourly, name)
    ]
    weakening = [f"no series of {what}" for name, what in _USEFUL.items() if not getattr(hourly, name)]
    days = min(_days(hourly.cpu), _days(hourly.memory))
    share = 0.0
    if not blocking:
        newest = min(hourly.cpu[-1].at, hourly.memory[-1].at)
        if now - newest > margins.stale_after:
            blocking.append(f"the newest values are of {words.clock(newest, zone)}: is the server monitored?")
        if days < margins.least / DAY:
            blocking.append(
                f"{words.many(days, 'day')} of CPU use and memory are known: {margins.least.days} are needed"
            )
        recent = between(hourly.cpu, now - margins.down_after, now)
        share, gaps = _gaps(recent, hourly.cpu[0].at, moment)
        weakening += gaps
        weakening += _history_words(hourly, days, moment)
    weakening += _size_words(hourly, spec)
    return Coverage(tuple(blocking), tuple(weakening), days, share)


def _days(series: Series) -> int:
    return sum(len(values) >= _FULL_DAY for _, values in by_day(series))


def _gaps(recent: Series, first: datetime, moment: Moment) -> tuple[float, list[str]]:
    """The share of hours known, and the gaps of more than 6 hours in words, the longest first."""
    now, margins, zone = moment.now, moment.margins, moment.zone
    start = max(now - margins.down_after, first - HOUR)
    hours = max(1.0, (now - start) // HOUR)
    times = [start, *(point.at for point in recent), now]
    found = sorted(((after - before, before) for before, after in pairwise(times)), reverse=True)
    told = [
        f"no values for {length / HOUR:.0f} hours from {words.clock(before, zone)} on"
        for length, before in found[:_GAPS_TOLD]
        if length > _GAP
    ]
    return min(1.0, len(recent) / hours), told


def _history_words(hourly: Hourly, days: int, moment: Moment) -> list[str]:
    now, margins = moment.now, moment.margins
    told = []
    if days < margins.down_after / DAY:
        told.append(
            f"{words.many(days, 'day')} are known: a smaller size is recommended from "
            f"{margins.down_after.days} days on"
        )
    if not busiest_month_end(hourly.cpu, now):
        told.append("no turn of a month is in the data: its peak is unknown")
    return told


def _size_words(hourly: Hourly, spec: Spec | None) -> list[str]:
    if not spec:
        return []
    told = []
    if hourly.cpus and abs(hourly.cpus[-1].value - spec.cpus) > 0.05 * spec.cpus:
        told.append(
            f"the server shows {words.cpus(hourly.cpus[-1].value)}, {spec.name} has {words.cpus(spec.cpus)}"
        )
    # A kernel keeps some of a machine's memory for itself.
    if hourly.memory_total and not 0.9 < hourly.memory_total[-1].value / words.MIB / spec.memory_mib < 1.05:
        seen = words.mib(hourly.memory_total[-1].value / words.MIB)
        told.append(f"the server shows {seen} of memory, {spec.name} has {words.mib(spec.memory_mib)}")
    return told
