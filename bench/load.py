"""Business calls of many users on one M EMS server, at a steady rate (an open loop), and their answers.

    python bench/load.py --customer C --server S [--rate 20] [--seconds 30] [--stop-file F]

Each call is a new HTTPS connection through nginx, of a user who is logged in; none is tried again. Its time
runs from the moment at which it was due, so a server that can't follow shows. Ends after --seconds, or once
--stop-file exists. Prints JSON: rate, sent, answered, failed, p50_ms, p95_ms, longest_ms, errors {words: n}
and seconds [{at (s since the start), due, p95_ms, failed}], one for each second in which calls were due.
Reaches nothing but the named server of this installation (AMC_HOME, AMC_SECRETS_DIR, AMC_SSH_CONFIG).
"""

import argparse
import base64
import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator import settings

LIMIT_SECONDS = 30
MOST_AT_ONCE = 2000
LOGIN = "mems_check"
QUERY: list[Any] = [[], 0, 20, None, ["name", "code"], {}]


class Connection(http.client.HTTPSConnection):
    """HTTPS to an address, under the name of the certificate."""

    def __init__(self, name: str, address: str, tls: ssl.SSLContext) -> None:
        super().__init__(name, timeout=LIMIT_SECONDS, context=tls)
        self.address, self.tls = address, tls

    def connect(self) -> None:
        """To the address, whatever the name resolves to."""
        plain = socket.create_connection((self.address, 443), self.timeout)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)


@dataclass
class User:
    """Somebody who is logged in."""

    name: str
    address: str
    tls: ssl.SSLContext
    session: str = ""

    def call(self, method: str, parameters: list[Any]) -> Any:
        """The result; any exception is a call that was not answered."""
        headers = {"Content-Type": "application/json"}
        if self.session:
            headers["Authorization"] = f"Session {self.session}"
        connection = Connection(self.name, self.address, self.tls)
        try:
            body = json.dumps({"id": 1, "method": method, "params": parameters})
            connection.request("POST", "/mems/", body, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"HTTP {response.status}")
        said = json.loads(answer)
        if said.get("error"):  # Tryton's errors come as HTTP 200
            raise RuntimeError(str(said["error"])[:100])
        return said["result"]

    def log_in(self, password: str) -> None:
        """What follows is called as this user."""
        number, key = self.call("common.db.login", [LOGIN, {"password": password}, "en"])[:2]
        self.session = base64.b64encode(f"{LOGIN}:{number}:{key}".encode()).decode()


def user(customer: str, server: str, chosen: settings.Settings) -> User:
    """Logged in on the installation's server."""
    config = ["-F", str(chosen.ssh_config)] if chosen.ssh_config.exists() else []
    shown = subprocess.run(["ssh", *config, "-G", server], capture_output=True, text=True, check=True).stdout
    address = next(line.split()[1] for line in shown.splitlines() if line.startswith("hostname "))
    secrets = chosen.secrets_dir / customer
    found = User(server, address, ssl.create_default_context(cafile=str(secrets / "ca" / "ca.pem")))
    found.log_in((secrets / "mems_check_password").read_text().strip())
    return found


@dataclass
class Load:
    """What was sent, and how it was answered: (due, seconds, words; "" when it was answered)."""

    user: User
    rate: float
    began: float = field(default_factory=time.monotonic)
    calls: list[tuple[float, float, str]] = field(default_factory=list)

    def run(self, seconds: float, stop_file: Path | None) -> None:
        """Call at the rate, then wait for the last answers."""
        threads: list[threading.Thread] = []
        number = 0
        while (due := self.began + number / self.rate) < self.began + seconds:
            if stop_file and stop_file.exists():
                break
            time.sleep(max(0.0, due - time.monotonic()))
            threads = [each for each in threads if each.is_alive()]
            number += 1
            if len(threads) >= MOST_AT_ONCE:
                self.calls.append((due, 0.0, f"not sent: {MOST_AT_ONCE} wait for their answers"))
                continue
            thread = threading.Thread(target=self._one, args=(due,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(LIMIT_SECONDS + 5)

    def _one(self, due: float) -> None:
        try:
            self.user.call("model.party.party.search_read", QUERY)
            words = ""
        except Exception as error:
            words = f"{type(error).__name__}: {error}"
        self.calls.append((due, time.monotonic() - due, words))

    def report(self) -> dict[str, Any]:
        """As this module says."""
        good = sorted(took for _, took, words in self.calls if not words)
        errors = Counter(words for _, _, words in self.calls if words)
        return {
            "rate": self.rate,
            "sent": len(self.calls),
            "answered": len(good),
            "failed": len(self.calls) - len(good),
            "p50_ms": _at(good, 50),
            "p95_ms": _at(good, 95),
            "longest_ms": _at(good, 100),
            "errors": dict(errors.most_common(5)),
            "seconds": [
                self._second(number) for number in sorted({self._number(due) for due, *_ in self.calls})
            ],
        }

    def _number(self, due: float) -> int:
        return int(due - self.began)

    def _second(self, number: int) -> dict[str, Any]:
        mine = [(took, words) for due, took, words in self.calls if self._number(due) == number]
        good = sorted(took for took, words in mine if not words)
        return {"at": number, "due": len(mine), "p95_ms": _at(good, 95), "failed": len(mine) - len(good)}


def _at(ordered: list[float], share: int) -> float | None:
    """Milliseconds at the nearest rank; None of nothing."""
    if not ordered:
        return None
    return round(1000 * ordered[max(0, -(-len(ordered) * share // 100) - 1)], 1)


def main() -> int:
    """Load, and print; exit code 1 when a call failed."""
    words = argparse.ArgumentParser()
    words.add_argument("--customer", required=True)
    words.add_argument("--server", required=True)
    words.add_argument("--rate", type=float, default=20)
    words.add_argument("--seconds", type=float, default=30)
    words.add_argument("--stop-file", type=Path)
    asked = words.parse_args()
    load = Load(user(asked.customer, asked.server, settings.read()), asked.rate)
    load.run(asked.seconds, asked.stop_file)
    report = load.report()
    print(json.dumps(report))
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
