"""Figures of this installation for Prometheus, read from the database at each call."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import Engine, func, select

from orchestrator.database.engine import reading
from orchestrator.runs.states import State
from orchestrator.runs.tables import runs
from orchestrator.settings import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(_settings: Settings, engine: Engine, now: datetime) -> str:
    """All figures in Prometheus's text format, CONTENT_TYPE. Raises what the database raises."""
    registry = CollectorRegistry()
    _runs(registry, engine)
    made = Gauge("amc_time_seconds", "When these figures were read, seconds since 1970.", registry=registry)
    made.set(now.timestamp())
    return generate_latest(registry).decode()


def _runs(registry: CollectorRegistry, engine: Engine) -> None:
    gauge = Gauge("amc_runs", "Runs by customer and state.", ["customer", "state"], registry=registry)
    query = select(runs.c.customer, runs.c.state, func.count()).group_by(runs.c.customer, runs.c.state)
    with reading(engine) as connection:
        counted = {(customer, state): count for customer, state, count in connection.execute(query)}
    for customer in sorted({customer for customer, _ in counted}):
        for state in State:
            gauge.labels(customer, state).set(counted.get((customer, state.value), 0))
