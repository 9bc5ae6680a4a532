"""Work by hand from another machine: `amc serve` with TLS, a token, and a network that goes and comes."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.runs import hand

from .by_hand import Engineer, engineer_in, report
from .conftest import build


@dataclass
class Remote:
    """An engineer whose machine has no database, and the orchestrator's `amc serve`."""

    engineer: Engineer
    port: int
    folder: Path
    environment: dict[str, str]
    server: "subprocess.Popen[str] | None" = None

    def serve(self) -> None:
        house = self.engineer.house
        words = ["--port", str(self.port), "--tls-certificate", f"{self.folder}/tls.pem"]
        self.server = house.start("serve", *words, "--tls-key", f"{self.folder}/tls.key")
        house.until("the server", self._answers)

    def lose(self) -> None:
        """The network: nobody answers any more."""
        assert self.server
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """Lena's token is for acme and the dry one."""
    house = build(tmp_path_factory.mktemp("orchestrator"))
    engineer = engineer_in(house)
    own = tmp_path_factory.mktemp("laptop")
    openssl = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", f"{own}/tls.key", "-out", f"{own}/tls.pem"]
    subprocess.run([*openssl.split(), *files], check=True, capture_output=True)
    who = ("--name", "lena", "--role", "engineer", "--customer", "acme", "--customer", "dry")
    token = house.amc("token", "add", *who).stdout
    (own / "token").write_text(token)
    (own / "token").chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = {
        "AMC_URL": f"https://localhost:{port}",
        "AMC_TOKEN_FILE": str(own / "token"),
        "AMC_CA": str(own / "tls.pem"),
        "AMC_DATABASE_URL": f"sqlite:///{own}/none.db",
    }
    yield Remote(engineer, port, own, there)
    house.close()


@pytest.fixture
def remote(machines: Remote) -> Iterator[Remote]:
    """The orchestrator answers, the playbook waits for leave."""
    machines.engineer.anew()
    if machines.server is None or machines.server.poll() is not None:
        machines.serve()
    yield machines
    machines.engineer.rest()


def test_it_is_let_in_reported_and_charged_over_http(remote: Remote) -> None:
    """The same as here: hold, reports, settlement; whose it is says the token. Refused in the same words."""
    engineer = remote.engineer
    engineer.house.go()
    said = engineer.playbook(**remote.environment)
    run = engineer.run()
    assert f"{run.id}: done, charged 0:45" in said
    assert (run.state, run.charged, run.cause) == ("done", 2700, "by hand: lena")
    assert report(run, engineer.house)["acme-erp1"]["patch"]["cves"] == ["CVE-2026-1", "CVE-2026-2"]
    assert engineer.house.postings(run.id) == ["hold", "settle"]
    assert not (remote.folder / "none.db").exists()

    there = engineer.playbook(customer="dry", exit_code=5, **remote.environment)
    here = engineer.playbook(customer="dry", exit_code=5)
    assert there == here
    said = engineer.playbook(customer="asleep", exit_code=3, **remote.environment)
    assert "this token is not for asleep" in said


def test_without_the_orchestrators_answer_nothing_passes(remote: Remote) -> None:
    """Out of reach, a certificate of somebody else, an address without TLS, a token others can read."""
    engineer = remote.engineer
    before = len(engineer.runs())
    wrong = remote.environment | {"AMC_CA": "/etc/ssl/certs/ca-certificates.crt"}
    assert "does not answer" in engineer.playbook(exit_code=3, **wrong)
    plain = remote.environment | {"AMC_URL": "http://orchestrator.example"}
    assert "in the clear" in engineer.playbook(exit_code=3, **plain)
    (remote.folder / "token").chmod(0o644)
    assert "others can read this token" in engineer.playbook(exit_code=3, **remote.environment)
    (remote.folder / "token").chmod(0o600)
    remote.lose()
    assert "does not answer" in engineer.playbook(exit_code=3, **remote.environment)
    assert (engineer.house.marks(), len(engineer.runs())) == ([], before)


def test_a_network_that_comes_back_costs_nothing(remote: Remote) -> None:
    """The heartbeats go on where they stopped; the playbook never notices."""
    engineer = remote.engineer
    house = engineer.house
    process = engineer.start(**remote.environment)
    house.until_marked()
    remote.lose()
    house.until("the keeper to notice", lambda: "a heartbeat was not heard" in house.logs())
    remote.serve()
    house.go()
    assert process.wait(timeout=60) == 0
    assert engineer.run().state == "done"


def test_a_network_that_stays_away_settles_at_the_last_heartbeat(remote: Remote) -> None:
    """By the worker; what the engineer's machine says afterwards changes nothing."""
    engineer = remote.engineer
    house = engineer.house
    process = engineer.start(**remote.environment)
    run = house.until_marked()[0].split()[0]
    remote.lose()
    begun = engineer.run()
    later = datetime.now(UTC) + timedelta(seconds=100)
    assert len(hand.settle_silent(house.settings, house.engine, later)) == 1
    ended = engineer.ended(run)
    assert ended.state == "unknown" and ended.raw is not None and ended.raw < 60
    remote.serve()
    house.go()
    process.wait(timeout=60)
    assert "was settled (unknown" in house.logs() or f"{run}: unknown" in house.logs()
    after = engineer.ended(run)
    assert (after.state, after.charged, after.started_at) == ("unknown", ended.charged, begun.started_at)
