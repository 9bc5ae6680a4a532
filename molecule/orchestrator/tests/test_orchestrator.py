"""What role orchestrator promises: services that do the work, shut in, and somebody who is told."""

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

EPHEMERAL = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."))
SECRETS = EPHEMERAL / "secrets"
SECRET = "swordfish"
UNITS = ("amc-worker@1", "amc-worker@2", "amc-serve")
DEADLINE_S = 90
testinfra_hosts = ["orchestrator1"]
RECEIVER = """
import http.server

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("/run/received", "a") as file:
            print(self.path, " ".join(body.split()), sep="\\t", file=file)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", 8099), Receiver).serve_forever()
"""


@pytest.fixture(scope="module")
def address():
    """The server's address on the lab's network."""
    lines = [line.split() for line in (EPHEMERAL / "lab/ssh_config").read_text().splitlines()]
    start = lines.index(["Host", "orchestrator1"])
    return next(words[1] for words in lines[start:] if words[:1] == ["HostName"])


@pytest.fixture(scope="module")
def receiver(host):
    """Who is told and pinged, on the server itself."""
    host.run_expect([0], f"cat > /run/receiver.py <<'END'\n{RECEIVER}\nEND")
    host.run_expect([0], "systemd-run --quiet --collect --unit=receiver /usr/bin/python3 /run/receiver.py")

    def received():
        found = host.run("cat /run/received").stdout.splitlines()
        return [line.split("\t") for line in found]

    yield received
    host.run_expect([0], "systemctl stop receiver; rm -f /run/receiver.py /run/received")


def until(what, met):
    deadline = time.monotonic() + DEADLINE_S
    while not (found := met()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s for {what}"
        time.sleep(1)
    return found


def ask(address, path, token="", scheme="https"):
    tls = ssl.create_default_context(cafile=str(SECRETS / "provider/ca/ca.pem"))
    request = urllib.request.Request(f"{scheme}://{address}:8420{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, context=tls, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def shown(host, run):
    return json.loads(host.check_output(f"amc run show {run} --json"))


def test_they_run_and_are_shut_in(host):
    """systemd's own measure is 3.0 at most, of 10; secrets are in no environment."""
    for unit in UNITS:
        said = host.check_output(
            f"systemctl show -p ActiveState -p UnitFileState -p NRestarts {unit}"
        ).split()
        assert sorted(said) == ["ActiveState=active", "NRestarts=0", "UnitFileState=enabled"], unit
        measured = host.check_output(f"systemd-analyze security --no-pager {unit} | tail -n 1").split()
        assert float(measured[-3]) <= 3.0, measured
        pid = host.check_output(f"systemctl show -p MainPID --value {unit}")
        assert SECRET not in host.check_output(f"tr '\\0' '\\n' < /proc/{pid}/environ")
        status = host.check_output(f"cat /proc/{pid}/status")
        assert "CapEff:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
    assert SECRET not in host.check_output("systemctl cat amc-worker@1 amc-serve; cat /etc/amc/environment")
    assert host.run("runuser -u amc -- ls /etc/amc/credentials").rc != 0
    assert host.run("runuser -u amc -- touch /opt/amc/current/x").rc != 0


def test_the_http_side_needs_tls_and_a_token(host, address):
    """Its certificate is of the provider's CA and of its address."""
    assert ask(address, "/health")[0] == 200
    assert ask(address, "/v1/balance/acme")[0] == 401
    with pytest.raises((OSError, http.client.HTTPException)):
        ask(address, "/health", scheme="http")
    name = f"molecule-{time.time_ns()}"  # a token's name is taken once
    token = host.check_output(f"amc token add --name {name} --role engineer --customer acme").split()[-1]
    status, body = ask(address, "/v1/balance/acme", token)
    assert (status, "seconds" in body or "available" in body) == (200, True), body
    monitor = host.check_output(f"amc token add --name {name}-m --role monitor").split()[-1]
    status, body = ask(address, "/metrics", monitor)
    assert (status, 'amc_hours_seconds{customer="acme"' in body) == (200, True)
    assert "amc_worker_beat_timestamp_seconds" in host.check_output("curl -sS http://127.0.0.1:9420/metrics")


def test_an_order_is_done_by_a_worker_that_is_shut_in(host, receiver):
    """M EMS on the other server answers its business calls; the dead-man's switch hears that all is well."""
    done = json.loads(host.check_output("amc run start check --customer acme --wait --json"))
    assert done["state"] == "done", done
    assert done["servers"] == ["mems1"]
    assert until("a ping", lambda: [path for path, _ in receiver() if path == "/ping/swordfish"])


def test_a_run_that_fails_is_told_and_no_run_fails_by_telling(host, receiver):
    """M EMS is stopped; operations hear of it once."""
    enter = "runuser -u amc -- ssh -F /etc/amc/ssh_config mems1"
    units = host.check_output(
        f"{enter} systemctl list-units --plain --no-legend 'mems@*.socket' 'mems@*.service'"
    )
    names = " ".join(line.split()[0] for line in units.splitlines())
    host.run_expect([0], f"{enter} sudo systemctl stop {names}")
    try:
        failed = host.run("amc run start check --customer acme --wait --json")
        assert failed.rc == 8, failed
    finally:
        host.run_expect([0], f"{enter} sudo systemctl start {names}")
    run = json.loads(failed.stdout)["id"]
    told = until(
        "the message", lambda: [body for path, body in receiver() if path == "/told" and run in body]
    )
    assert len(told) == 1
    assert "check failed, a person has to look (mems1)" in told[0]


def test_a_run_outlives_its_worker(host):
    """Both are restarted in its middle: it goes on, is found again, and is not begun a second time."""
    run = json.loads(host.check_output("amc run start check --customer acme --json"))["id"]
    folder = f"/var/lib/amc/runs/{run}"
    begun = (
        f"for i in $(seq 300); do test -e {folder}/attempt-1/process.json && exit 0; sleep 0.1; done; exit 1"
    )
    host.run_expect([0], f"({begun}) && systemctl restart amc-worker@1 amc-worker@2")
    assert host.run(f"test -e {folder}/attempt-1/result.json").rc == 1, (
        "it was over before they were restarted"
    )
    until("its end", lambda: shown(host, run)["state"] == "done")
    assert host.check_output(f"ls -d {folder}/attempt-*").split() == [f"{folder}/attempt-1"]


def test_a_worker_that_is_killed_comes_back(host):
    """The other goes on meanwhile; the doctor finds nothing."""
    host.run_expect([0], "systemctl kill -s KILL amc-worker@1")
    until("it", lambda: host.run("systemctl is-active amc-worker@1").stdout.strip() == "active")
    until("a sound installation", lambda: host.run("amc doctor").rc == 0)


def test_the_doctor_says_what_is_wrong(host):
    """No worker; a secret that others can read."""
    host.run_expect([0], "systemctl stop amc-worker@1 amc-worker@2")
    host.run_expect([0], "install -o amc -g amc -m 644 /dev/null /var/lib/amc/secrets/open")
    try:
        said = host.run("amc doctor")
        assert said.rc == 3
        assert "FAULT  worker: none is at work" in said.stdout
        assert "FAULT  secrets: /var/lib/amc/secrets/open is open to others" in said.stdout
        assert "chmod go= /var/lib/amc/secrets/open" in said.stdout
    finally:
        host.run_expect([0], "rm /var/lib/amc/secrets/open; systemctl start amc-worker@1 amc-worker@2")
    found = json.loads(host.check_output("amc doctor --reach --json"))
    assert [each for each in found if each["grade"] == "fault"] == []
    assert "mems1" in [each["words"] for each in found if each["what"] == "reach"]
