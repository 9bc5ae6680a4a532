import json
import os
import ssl
import time
import urllib.parse
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest

EPHEMERAL = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."))
SECRETS = EPHEMERAL / "secrets"


@pytest.fixture(scope="session")
def addresses():
    """Server -> its address on the lab's network."""
    words = [line.split() for line in (EPHEMERAL / "lab/ssh_config").read_text().splitlines() if line.strip()]
    names = [name for key, name in (pair[:2] for pair in words) if key == "Host"]
    hosts = [name for key, name in (pair[:2] for pair in words) if key == "HostName"]
    return dict(zip((name for name in names if name != "*"), hosts, strict=True))


@pytest.fixture(scope="session")
def query(addresses):
    """Asks Prometheus as the orchestrator does: by its address, with the provider's CA and the password."""
    tls = ssl.create_default_context(cafile=str(SECRETS / "provider/ca/ca.pem"))
    password = (SECRETS / "provider/prometheus_password").read_text().strip()
    login = {"Authorization": "Basic " + b64encode(f"amc:{password}".encode()).decode()}

    def ask(expression, path="query"):
        words = urllib.parse.urlencode({"query": expression})
        request = urllib.request.Request(
            f"https://{addresses['backup1']}:9090/api/v1/{path}?{words}", headers=login
        )
        with urllib.request.urlopen(request, context=tls, timeout=10) as answer:
            return json.load(answer)["data"]

    return ask


@pytest.fixture(scope="session")
def until():
    """Waits until the function's answer is true, and returns it; the last one when time is up."""

    def wait(function, seconds=30):
        end = time.monotonic() + seconds
        while not (answer := function()) and time.monotonic() < end:
            time.sleep(0.5)
        return answer

    return wait
