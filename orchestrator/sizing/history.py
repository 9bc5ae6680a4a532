"""The history of a customer's servers, as Prometheus has it: a query for each quantity, all servers at once.

M EMS's own exporter knows what is true for a server, also in a container, where node_exporter shows the
host's CPUs. So each quantity has a first query, and where it has nothing for a server, a second one.
"""

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta
from string import Template

from orchestrator.sizing.load import HOUR, Hourly, Load, Recent, Series
from orchestrator.sizing.prometheus import Prometheus

DAYS = 400
_RECENT = timedelta(minutes=15)
_STEP = timedelta(seconds=15)
_RECENT_WINDOW = "1m"

# A rate needs two scrapes in its window: ten minutes allow one in five.
_MEMS_CPU = "sum by (server) (rate(mems_server_cpu_seconds_total{$labels}[$window]))"
_NODE_CPU = (
    'sum by (server) (rate(node_cpu_seconds_total{$labels,mode!~"idle|iowait|guest.*|steal"}[$window]))'
)
_BUCKETS = "sum by (server, le) (rate(mems_request_duration_seconds_bucket{$labels}[$window]))"


def _peak(rate: str) -> str:
    return f"max_over_time({rate.replace('$window', '10m')}[$window:5m])"


def _largest(series: str, function: str, labels: str = "") -> str:
    """One value a server; `labels` are told apart from the server's own."""
    return f"max by (server) ({function}({series}{{$labels{labels}}}[$window]))"


def _waiting(resource: str) -> tuple[str, str]:
    return (
        _largest("mems_server_pressure_waiting_seconds_total", "rate", f',resource="{resource}"'),
        _largest(f"node_pressure_{resource}_waiting_seconds_total", "rate"),
    )


def _disk(of: str) -> tuple[str, str]:
    """A data volume, where the server has one, else the root file system."""
    size, free = "node_filesystem_size_bytes", "node_filesystem_avail_bytes"

    def query(place: str) -> str:
        labels = f'{{$labels,mountpoint="{place}"}}'
        measured = size + labels if of == "size" else f"({size}{labels} - {free}{labels})"
        return f"max by (server) (max_over_time({measured}[$window:5m]))"

    return query("/srv"), query("/")


QUERIES: dict[str, tuple[str, ...]] = {
    "cpu": (_MEMS_CPU, _NODE_CPU),
    "cpu_peak": (_peak(_MEMS_CPU), _peak(_NODE_CPU)),
    "cpu_waiting": _waiting("cpu"),
    "memory": (
        _largest("mems_server_memory_working_set_bytes", "max_over_time"),
        "max by (server) (max_over_time("
        "(node_memory_MemTotal_bytes{$labels} - node_memory_MemAvailable_bytes{$labels})[$window:5m]))",
    ),
    "memory_waiting": _waiting("memory"),
    "oom_kills": (
        _largest("mems_server_oom_kills_total", "increase"),
        _largest("node_vmstat_oom_kill", "increase"),
    ),
    "disk_used": _disk("used"),
    "disk_size": _disk("size"),
    "response": (
        f"histogram_quantile(0.95, {_BUCKETS})",
        "max by (server) (quantile_over_time(0.95, "
        'mems_check_duration_seconds{$labels,part="total"}[$window]))',
    ),
    "cpus": (
        _largest("mems_server_cpus", "last_over_time"),
        'count by (server) (last_over_time(node_cpu_seconds_total{$labels,mode="idle"}[$window]))',
    ),
    "memory_total": (
        _largest("mems_server_memory_bytes", "last_over_time"),
        _largest("node_memory_MemTotal_bytes", "last_over_time"),
    ),
}


def read(
    prometheus: Prometheus, customer: str, servers: list[str], now: datetime, days: int = DAYS
) -> dict[str, Load]:
    """The load of these servers up to `now` (UTC); it is empty for a server that Prometheus does not know."""
    labels = f"customer={json.dumps(customer)}"
    end = now.replace(minute=0, second=0, microsecond=0)
    newest = now - timedelta(seconds=now.timestamp() % _STEP.total_seconds())

    def hourly(query: str) -> dict[str, Series]:
        words = Template(query).substitute(labels=labels, window="1h")
        return prometheus.history(words, end - timedelta(days=days), end, HOUR)

    def recent(query: str) -> dict[str, Series]:
        words = Template(query).substitute(labels=labels, window=_RECENT_WINDOW)
        return prometheus.history(words, newest - _RECENT, newest, _STEP)

    by_hour = {each.name: _first(QUERIES[each.name], servers, hourly) for each in fields(Hourly)}
    by_step = {each.name: _first(QUERIES[each.name], servers, recent) for each in fields(Recent)}
    return {
        server: Load(
            server,
            customer,
            Hourly(**{name: found.get(server, ()) for name, found in by_hour.items()}),
            Recent(**{name: found.get(server, ()) for name, found in by_step.items()}),
        )
        for server in servers
    }


def _first(
    queries: tuple[str, ...], servers: list[str], ask: Callable[[str], dict[str, Series]]
) -> dict[str, Series]:
    """For each server the answer of the first query that has one; no query is asked in vain."""
    found: dict[str, Series] = {}
    for query in queries:
        if all(server in found for server in servers):
            break
        found = {**ask(query), **found}
    return found
