"""What role monitoring_server promises without any server to ask: who may read, and whom it tells."""

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

EPHEMERAL = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."))
SECRETS = EPHEMERAL / "secrets"
AUTHORITY = Path(__file__).parents[3] / "roles/mems/files/authority.sh"
RECEIVER = """
import http.server, ssl

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("/run/received", "a") as file:
            print(self.path, self.headers["Authorization"], body, sep="\\t", file=file)
        self.send_response(200)
        self.end_headers()

server = http.server.HTTPServer(("127.0.0.1", 8443), Receiver)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("/run/receiver.pem")
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def address():
    """The server's address on the lab's network."""
    lines = [line.split() for line in (EPHEMERAL / "lab/ssh_config").read_text().splitlines()]
    return next(words[1] for words in lines if words[:1] == ["HostName"])


def _status(address, *, authority="provider/ca/ca.pem", password=None, scheme="https"):
    manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
    manager.add_password(
        None, f"https://{address}:9090/", "amc", password or "", is_authenticated=bool(password)
    )
    tls = ssl.create_default_context(cafile=str(SECRETS / authority))
    handlers = [urllib.request.HTTPSHandler(context=tls)]
    handlers += [urllib.request.HTTPBasicAuthHandler(manager)] if password else []
    try:
        url = f"{scheme}://{address}:9090/api/v1/query?query=up"
        with urllib.request.build_opener(*handlers).open(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except urllib.error.URLError as problem:
        return type(problem.reason).__name__


def test_prometheus_answers_who_has_the_password(address):
    """None, a wrong one, without TLS: refused. Its certificate is of the provider's CA and of its address."""
    assert _status(address, password=(SECRETS / "provider/prometheus_password").read_text().strip()) == 200
    assert _status(address) == 401
    assert _status(address, password="wrong") == 401
    assert _status(address, scheme="http") == 400
    assert _status(address, authority="receiver/ca.pem") == "SSLCertVerificationError"


def test_the_password_is_kept_as_bcrypt_only(host):
    password = (SECRETS / "provider/prometheus_password").read_text().strip()
    assert "amc: $2b$10$" in host.check_output("cat /etc/prometheus/amc/web.yml")
    # Not by grep: sudo would write the word that is looked for into the journal.
    assert password not in host.check_output("find /etc/prometheus /etc/default -type f -exec cat {} +")
    assert password not in host.check_output("journalctl --no-pager")


def test_alertmanager_and_the_keys_are_nobody_else_s(host):
    listening = host.check_output("ss -Hltn | awk '{print $4}'").split()
    assert "127.0.0.1:9093" in listening
    assert not [each for each in listening if each.endswith((":9093", ":9094")) and each != "127.0.0.1:9093"]
    for name in ("web.key", "client.key", "web.yml", "webhook.token"):
        there = host.file(f"/etc/prometheus/amc/{name}")
        assert (there.user, there.group, there.mode) == ("root", "prometheus", 0o640), name


def test_both_run_as_they_should(host):
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
    for unit in ("prometheus", "prometheus-alertmanager"):
        shown = host.check_output(
            f"systemctl show -p ActiveState -p NRestarts -p UnitFileState {unit}"
        ).split()
        assert sorted(shown) == ["ActiveState=active", "NRestarts=0", "UnitFileState=enabled"], unit
    assert "--storage.tsdb.retention.time=400d" in host.check_output("ps -C prometheus -o args=")
    assert "SUCCESS: 19 rules" in host.check_output(
        "promtool check config /etc/prometheus/amc/prometheus.yml"
    )


def test_an_alert_is_told_with_the_token_and_by_tls(host):
    """To the address that the inventory names, whose certificate is of the CA that it names."""
    key = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    private = subprocess.run(key, capture_output=True, check=True).stdout
    request = ["openssl", "req", "-new", "-key", "/dev/stdin", "-subj", "/CN=receiver"]
    asked = subprocess.run(request, input=private, capture_output=True, check=True).stdout
    sign = ["sh", AUTHORITY, "sign", SECRETS / "receiver", "1", "127.0.0.1"]
    signed = subprocess.run(sign, input=asked, capture_output=True, check=True).stdout
    for name, text in (("receiver.pem", (private + signed).decode()), ("receiver.py", RECEIVER)):
        host.run_expect([0], f"cat > /run/{name} <<'END'\n{text}\nEND")
    host.run_expect([0], "systemd-run --quiet --collect --unit=receiver /usr/bin/python3 /run/receiver.py")
    add = "amtool --alertmanager.url=http://127.0.0.1:9093 alert add MemsFails server=erp1 customer=acme"
    host.run_expect([0], add)
    try:
        until = time.monotonic() + 30
        while not host.file("/run/received").exists and time.monotonic() < until:
            time.sleep(0.5)
        path, authorization, body = host.check_output("cat /run/received").split("\n")[0].split("\t")
    finally:
        host.run_expect([0], "systemctl stop receiver; rm -f /run/receiver.* /run/received")
    token = (SECRETS / "provider/alertmanager_webhook_token").read_text().strip()
    assert (path, authorization) == ("/alerts", f"Bearer {token}")
    told = json.loads(body)
    assert (told["status"], told["receiver"]) == ("firing", "orchestrator")
    assert told["alerts"][0]["labels"] == {"alertname": "MemsFails", "server": "erp1", "customer": "acme"}
