"""A Prometheus of these tests' own on loopback, with TLS and a password, its history backfilled by promtool.

acme-erp1   lab.medium, twelve days at half load; saturated now
acme-erp2   lab.large, idle for more than 28 days
acme-erp3   known by node_exporter alone, with a data volume at /srv
acme-erp4   five days old
acme-erp5   declared, and not monitored
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.settings import Settings
from orchestrator.settings import read as read_settings
from tests.integration.sizing import exposition
from tests.integration.sizing.backfilled import prometheus
from tests.unit.contracts.broken_rules import VALID
from tests.unit.sizing.histories import Erp

SPECS = {
    "acme-erp1": "lab.medium",
    "acme-erp2": "lab.large",
    "acme-erp3": "lab.large",
    "acme-erp4": "lab.medium",
}


@dataclass(frozen=True)
class Served:
    """Settings that reach the Prometheus, and the moment up to which its history was made (UTC)."""

    settings: Settings
    now: datetime


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("prometheus")
    now = datetime.now(UTC)
    own = {"AMC_HOME": str(folder / "home"), "AMC_INVENTORIES": str(_inventories(folder))}
    with prometheus(folder, _history(now)) as reached:
        yield Served(read_settings(own | reached), now)


def _history(now: datetime) -> str:
    medium = exposition.mems(Erp(days=12, busy=0.5).load(now))
    exposition.saturated(medium, now, cpus=1.0, lasts=timedelta(minutes=10))
    servers = {
        "acme-erp1": medium,
        "acme-erp2": exposition.mems(Erp(days=31, cpus=2, memory_mib=4096, busy=0.1, batch=True).load(now)),
        "acme-erp3": exposition.node(Erp(days=9, cpus=2, memory_mib=4096, busy=0.8).load(now)),
        "acme-erp4": exposition.mems(Erp(days=5).load(now)),
    }
    return exposition.text(servers, "acme")


def _inventories(folder: Path) -> Path:
    acme = folder / "inventories" / "acme"
    (acme / "group_vars" / "all").mkdir(parents=True)
    (acme / "group_vars" / "all" / "contract.yml").write_text(VALID)
    hosts = "".join(f"        acme-erp{number}:\n" for number in range(1, 6))
    (acme / "hosts.yml").write_text(f"all:\n  children:\n    mems:\n      hosts:\n{hosts}")
    (acme / "host_vars").mkdir()
    for server, spec in SPECS.items():
        said = f"server_provider: lab\nserver_spec: {spec}\nserver_disk_gib: 12\n"
        (acme / "host_vars" / f"{server}.yml").write_text(said)
    return folder / "inventories"
