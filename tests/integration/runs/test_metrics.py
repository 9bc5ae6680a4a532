"""Figures for Prometheus: as the database has them, over real HTTP."""

import socket
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.database.engine import connect
from orchestrator.ledger import store as ledger
from orchestrator.notify import metrics, scrape, watch
from orchestrator.runs import store
from orchestrator.runs.states import Event, State
from orchestrator.settings import Settings

from .conftest import NOW, Place


def figures(text: str) -> dict[tuple[str, ...], float]:
    """By name and labels' values, in the order of the labels' names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_they_are_the_databases(house_settings: Settings, place: Place) -> None:
    hosts = house_settings.inventories / "acme" / "hosts.yml"
    hosts.write_text("all: {children: {mems: {hosts: {acme-erp1: }}}}\n")
    engine = connect(house_settings.database_url)
    run = place("patch", "one")
    late = replace(place("patch", "two"), id="acme-patch-3", key="three", state=State.WAITING)
    with engine.begin() as connection:
        store.move(connection, run, Event.START, "", started_at=NOW)
        ledger.void(connection, store.ledger_key(run.id), "of a test", NOW)
        store.move(connection, store.get(connection, run.id), Event.SUCCEED, "", ended_at=NOW)
        store.add(connection, replace(late, planned_at=NOW - timedelta(hours=1)))
    watch.note_beat(engine, "host:1", NOW)
    found = figures(metrics.text(house_settings, engine, NOW))
    assert found["amc_runs", "acme", "done"] == 1
    assert found["amc_runs", "acme", "failed"] == 0
    assert found["amc_run_success_timestamp_seconds", "patch", "acme"] == NOW.timestamp()
    assert found["amc_overdue", "acme"] == 1
    assert found["amc_hours_seconds", "acme", "entitled"] == 60 * 3600
    assert found["amc_hours_seconds", "acme", "held"] == 45 * 60
    assert found["amc_worker_beat_timestamp_seconds",] == NOW.timestamp()


def test_the_worker_offers_them_on_this_machine_only(house_settings: Settings) -> None:
    """Another path is not there; a port that is taken is said, and harms nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = replace(house_settings, metrics_port=port)
    engine = connect(settings.database_url)
    assert scrape.listen(settings, engine) == f"figures at http://127.0.0.1:{port}/metrics"
    assert "can't be offered: Address already in use" in scrape.listen(settings, engine)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"] == metrics.CONTENT_TYPE
        assert figures(answer.read().decode())["amc_worker_beat_timestamp_seconds",] == 0
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
