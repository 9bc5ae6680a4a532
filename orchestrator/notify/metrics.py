"""Figures of this installation for Prometheus, read from the database at each call: docs/notifications.md."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy import Connection, Engine, func, select

from orchestrator.database.engine import reading
from orchestrator.ledger import reading as ledger
from orchestrator.notify import findings
from orchestrator.notify.agreements import Agreement, agreements
from orchestrator.notify.tables import beats, deliveries
from orchestrator.runs.states import State
from orchestrator.runs.tables import runs
from orchestrator.settings import Settings

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(settings: Settings, engine: Engine, now: datetime) -> str:
    """All figures in Prometheus's text format, CONTENT_TYPE. Raises what the database raises."""
    registry = CollectorRegistry()
    agreed = agreements(settings)
    with reading(engine) as connection:
        _runs(registry, connection)
        _overdue(registry, connection, agreed, now)
        _hours(registry, connection, agreed, now)
        _workers(registry, connection)
        _notifications(registry, connection)
    return generate_latest(registry).decode()


def _runs(registry: CollectorRegistry, connection: Connection) -> None:
    count = Gauge("amc_runs", "Runs by customer and state.", ["customer", "state"], registry=registry)
    well = Gauge(
        "amc_run_success_timestamp_seconds",
        "When the activity last ended well for the customer.",
        ["customer", "activity"],
        registry=registry,
    )
    query = select(runs.c.customer, runs.c.state, func.count()).group_by(runs.c.customer, runs.c.state)
    counted = {(customer, state): number for customer, state, number in connection.execute(query)}
    for customer in sorted({customer for customer, _ in counted}):
        for state in State:
            count.labels(customer, state).set(counted.get((customer, state.value), 0))
    ended = (
        select(runs.c.customer, runs.c.activity, func.max(runs.c.ended_at, type_=runs.c.ended_at.type))
        .where(runs.c.state == State.DONE, runs.c.check_mode.is_(False), runs.c.ended_at.is_not(None))
        .group_by(runs.c.customer, runs.c.activity)
    )
    for customer, activity, at in connection.execute(ended):
        well.labels(customer, activity).set(at.timestamp())


def _overdue(
    registry: CollectorRegistry, connection: Connection, agreed: list[Agreement], now: datetime
) -> None:
    gauge = Gauge(
        "amc_overdue",
        "Runs that should have begun, and occurrences that were never ordered.",
        ["customer"],
        registry=registry,
    )
    late = [run.customer for run in findings.late_runs(connection, now)]
    late += [contract.customer for contract, _ in findings.never_ordered(connection, agreed, now)]
    for customer in {contract.customer for contract, _ in agreed} | set(late):
        gauge.labels(customer).set(late.count(customer))


def _hours(
    registry: CollectorRegistry, connection: Connection, agreed: list[Agreement], now: datetime
) -> None:
    gauge = Gauge(
        "amc_hours_seconds",
        "The contract's hours: entitled, available (not where it has no cap), held, used, overage.",
        ["customer", "kind"],
        registry=registry,
    )
    for contract, _ in agreed:
        found = ledger.balance(connection, contract, now)
        for kind in ("entitled", "available", "held", "used", "overage"):
            if (seconds := getattr(found, kind)) is not None:
                gauge.labels(contract.customer, kind).set(seconds)


def _workers(registry: CollectorRegistry, connection: Connection) -> None:
    gauge = Gauge(
        "amc_worker_beat_timestamp_seconds",
        "When a worker last lived. None yet: 0.",
        registry=registry,
    )
    last = connection.execute(select(func.max(beats.c.beat_at, type_=beats.c.beat_at.type))).scalar()
    gauge.set(last.timestamp() if last else 0)


def _notifications(registry: CollectorRegistry, connection: Connection) -> None:
    gauge = Gauge(
        "amc_notifications",
        "Messages by channel and state: due, sending, sent, given-up.",
        ["channel", "state"],
        registry=registry,
    )
    query = select(deliveries.c.channel, deliveries.c.state, func.count())
    for channel, state, number in connection.execute(
        query.group_by(deliveries.c.channel, deliveries.c.state)
    ):
        gauge.labels(channel, state).set(number)
