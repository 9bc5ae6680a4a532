"""A Prometheus of these tests' own on loopback, with TLS and a password, its history backfilled by promtool.

acme-erp1   lab.medium, twelve days at half load; saturated now
acme-erp2   lab.large, idle for more than 28 days
acme-erp3   known by node_exporter alone, with a data volume at /srv
acme-erp4   five days old
acme-erp5   declared, and not monitored
"""

import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from orchestrator.settings import Settings
from orchestrator.settings import read as read_settings
from tests.integration.sizing import exposition
from tests.unit.contracts.broken_rules import VALID
from tests.unit.sizing.histories import Erp

DEADLINE_S = 30
PASSWORD = "a password of these tests"
HASH = "$2b$04$abcdefghijklmnopqrstuuuD/R07rdTsRcphGOojYA6VXtG23jzXK"  # bcrypt of it
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
    _backfill(folder, now)
    _certificate(folder)
    port = _free_port()
    (folder / "prometheus.yml").write_text("global: {}\n")
    tls = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}"
    (folder / "web.yml").write_text(f"{tls}\nbasic_auth_users: {{amc: '{HASH}'}}\n")
    (folder / "password").write_text(f"{PASSWORD}\n")
    settings = replace(
        read_settings({"AMC_HOME": str(folder / "home"), "AMC_INVENTORIES": str(_inventories(folder))}),
        prometheus_url=f"https://127.0.0.1:{port}",
        prometheus_ca=folder / "cert.pem",
        prometheus_user="amc",
        prometheus_password_file=folder / "password",
    )
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--web.config.file={folder / 'web.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=400d",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(server, settings, folder / "log")
        yield Served(settings, now)
    finally:
        server.terminate()
        try:
            server.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _backfill(folder: Path, now: datetime) -> None:
    medium = exposition.mems(Erp(days=12, busy=0.5).load(now))
    exposition.saturated(medium, now, cpus=1.0, lasts=timedelta(minutes=10))
    servers = {
        "acme-erp1": medium,
        "acme-erp2": exposition.mems(Erp(days=31, cpus=2, memory_mib=4096, busy=0.1, batch=True).load(now)),
        "acme-erp3": exposition.node(Erp(days=9, cpus=2, memory_mib=4096, busy=0.8).load(now)),
        "acme-erp4": exposition.mems(Erp(days=5).load(now)),
    }
    (folder / "history.om").write_text(exposition.text(servers, "acme"))
    subprocess.run(
        # Long blocks: promtool reads the whole file once for each.
        [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "--max-block-duration=1600h",
            "openmetrics",
            "-q",
            "history.om",
            "data",
        ],
        cwd=folder,
        check=True,
        timeout=DEADLINE_S,
    )


def _certificate(folder: Path) -> None:
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            "/CN=tests",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=DEADLINE_S,
    )


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(server: subprocess.Popen[bytes], settings: Settings, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    with httpx.Client(verify=False, auth=("amc", PASSWORD), trust_env=False) as client:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                if client.get(f"{settings.prometheus_url}/-/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise AssertionError(f"Prometheus did not become ready:\n{log.read_text(errors='replace')[-3000:]}")
