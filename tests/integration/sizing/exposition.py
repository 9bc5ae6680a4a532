"""A load as the exporters would have told it, every five minutes: OpenMetrics text for promtool.

mems   M EMS's own exporter, as roles/monitor has it
node   node_exporter alone: what a server without M EMS's exporter shows
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate

from orchestrator.sizing.load import HOUR, Load, Point

STEP_S = 300
PER_HOUR = 12
BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5)
RECENT_STEP_S = 15
AFTER = timedelta(minutes=4)  # the load of now goes on while the tests ask

Samples = list[tuple[float, float]]
Families = dict[str, dict[str, Samples]]  # name: labels: samples


def mems(load: Load) -> Families:
    """Counters from rates; the hour's batch is in its first twenty minutes."""
    hourly = load.hourly
    peaks = dict(hourly.cpu_peak)
    parts = [(p.at, *_parts(p.value, peaks.get(p.at, p.value))) for p in hourly.cpu]
    return {
        "mems_server_cpu_seconds": {"": _counter(parts)},
        "mems_server_pressure_waiting_seconds": {
            'resource="cpu"': _counter(_even(hourly.cpu_waiting)),
            'resource="memory"': _counter(_even(hourly.memory_waiting)),
        },
        "mems_server_oom_kills": {"": _counter(_even(_per_second(hourly.oom_kills)))},
        "mems_server_memory_working_set_bytes": {"": _gauge(hourly.memory)},
        "mems_server_memory_bytes": {"": _gauge(hourly.memory_total)},
        "mems_server_cpus": {"": _gauge(hourly.cpus)},
        "node_filesystem_size_bytes": {_DISK: _gauge(hourly.disk_size)},
        "node_filesystem_avail_bytes": {_DISK: _free(load)},
        "mems_request_duration_seconds": _requests(hourly.response),
    }


def node(load: Load) -> Families:
    """The same load as the kernel's files show it, on a machine of its own with whole CPUs."""
    hourly = load.hourly
    cpus = round(hourly.cpus[-1].value)
    idle = tuple(Point(point.at, cpus - point.value) for point in hourly.cpu)
    free = tuple(
        Point(total.at, total.value - used.value)
        for total, used in zip(hourly.memory_total, hourly.memory, strict=True)
    )
    cpu = {}
    for number in range(cpus):
        cpu[f'cpu="{number}",mode="user"'] = _counter(_even(hourly.cpu, 1 / cpus))
        cpu[f'cpu="{number}",mode="idle"'] = _counter(_even(idle, 1 / cpus))
    return {
        "node_cpu_seconds": cpu,
        "node_memory_MemTotal_bytes": {"": _gauge(hourly.memory_total)},
        "node_memory_MemAvailable_bytes": {"": _gauge(free)},
        "node_filesystem_size_bytes": {_DISK: _gauge(hourly.disk_size), _DATA: _gauge(hourly.disk_size, 2.0)},
        "node_filesystem_avail_bytes": {_DISK: _free(load), _DATA: _gauge(hourly.disk_size, 0.5)},
    }


def saturated(
    families: Families,
    now: datetime,
    cpus: float,
    lasts: timedelta,
    *,
    waiting: float = 0.5,
    response_s: float = 1.0,
) -> None:
    """Add a load of now: so many CPUs used, tasks wait for this share of the time, and most requests for so
    long, as far as the buckets tell.
    """
    start = (now - lasts).timestamp()
    steps = int((lasts + AFTER).total_seconds() / RECENT_STEP_S)

    def add(name: str, labels: str, per_second: float) -> None:
        samples = families[name][labels]
        base = samples[-1][1]
        new = [(start + i * RECENT_STEP_S, base + i * RECENT_STEP_S * per_second) for i in range(1, steps)]
        families[name][labels] = [each for each in samples if each[0] < new[0][0]] + new

    add("mems_server_cpu_seconds", "", cpus)
    add("mems_server_pressure_waiting_seconds", 'resource="cpu"', waiting)
    for labels in families["mems_request_duration_seconds"]:
        bound = float(labels.split('"')[1])
        add("mems_request_duration_seconds", labels, 10.0 if bound >= response_s else 0.5)


def text(servers: dict[str, Families], customer: str) -> str:
    """All servers' families; a family's samples stand together."""
    lines = []
    for name in dict.fromkeys(name for families in servers.values() for name in families):
        gauge = name.endswith("_bytes") or name == "mems_server_cpus"
        suffix = "" if gauge else "_bucket" if "duration" in name else "_total"
        kind = "gauge" if gauge else "unknown" if "duration" in name else "counter"
        lines.append(f"# TYPE {name}{'_bucket' if kind == 'unknown' else ''} {kind}")
        for server, families in servers.items():
            for labels, samples in families.get(name, {}).items():
                own = ",".join(filter(None, [f'server="{server}",customer="{customer}"', labels]))
                lines += [f"{name}{suffix}{{{own}}} {value:.6f} {at:.3f}" for at, value in samples]
    return "\n".join([*lines, "# EOF\n"])


_DISK = 'mountpoint="/",fstype="ext4"'
_DATA = 'mountpoint="/srv",fstype="ext4"'


def _parts(mean: float, peak: float) -> tuple[float, ...]:
    """Twelve rates with this mean, the first four of them at the peak."""
    rest = max(0.0, (12 * mean - 4 * peak) / 8)
    return (peak,) * 4 + (rest,) * 8 if peak > mean else (mean,) * PER_HOUR


def _even(points: tuple[Point, ...], share: float = 1.0) -> list[tuple[datetime, *tuple[float, ...]]]:
    return [(point.at, *(point.value * share,) * PER_HOUR) for point in points]


def _per_second(points: tuple[Point, ...]) -> tuple[Point, ...]:
    return tuple(Point(point.at, point.value / 3600) for point in points)


def _times(at: datetime) -> Iterator[float]:
    start = (at - HOUR).timestamp()
    return (start + STEP_S * (i + 1) for i in range(PER_HOUR))


def _counter(parts: list[tuple[datetime, *tuple[float, ...]]]) -> Samples:
    times = [time for at, *_ in parts for time in _times(at)]
    return list(zip(times, accumulate(rate * STEP_S for _, *rates in parts for rate in rates), strict=True))


def _gauge(points: tuple[Point, ...], factor: float = 1.0) -> Samples:
    return [(time, point.value * factor) for point in points for time in _times(point.at)]


def _free(load: Load) -> Samples:
    pairs = zip(load.hourly.disk_size, load.hourly.disk_used, strict=True)
    return _gauge(tuple(Point(size.at, size.value - used.value) for size, used in pairs))


def _requests(response: tuple[Point, ...]) -> dict[str, Samples]:
    """Ten requests a second, all of them below the bucket that holds the hour's response."""
    found = {}
    for bound in (*BUCKETS, float("inf")):
        shown = "+Inf" if bound == float("inf") else str(bound)
        rates = tuple(Point(point.at, 10.0 if bound >= point.value else 0.0) for point in response)
        found[f'le="{shown}"'] = _counter(_even(rates))
    return found
