#!/usr/bin/python3 -B
"""What Prometheus asks of M EMS itself: does it work, how fast does it answer, what has this server and uses.

    exporter.py [--port 9188]

On loopback only; amc-monitor-tls.service is the way in. As a user that reads the request log, no more.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from access_log import Requests
from exposition import Family, render
from machine import Machine

ANSWER = Path("/run/amc-monitor/check.json")
MAINTENANCE = Path("/run/amc/maintenance")
LOG = Path("/var/log/nginx/mems-requests.log")
DAYS_LEFT = "X-Client-Days-Left"  # of the caller's certificate, by the way in


def checked(path: Path = ANSWER) -> list[Family]:
    """The last answer of the check; nothing of it where none was given yet."""
    try:
        answer = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    works = Family("mems_check_success", "gauge", "Whether M EMS did its business calls when last asked.")
    at = Family("mems_check_timestamp_seconds", "gauge", "When it was last asked.")
    took = Family("mems_check_duration_seconds", "gauge", "How long its calls took.")
    why = Family("mems_check_failing", "gauge", "1 with the reason while it does not work.")
    for part, seconds in answer["seconds"].items():
        took.add(seconds, part=part)
    if not answer["ok"]:
        why.add(1, reason=answer["reason"])
    return [works.add(answer["ok"]), at.add(answer["at"]), took, why]


def certificates(days_left: str, path: Path = ANSWER) -> Family:
    """When they end: the server's own, and the one that the monitoring server shows."""
    ends = Family("mems_certificate_ends_timestamp_seconds", "gauge", "When the certificate ends.")
    try:
        own = json.loads(path.read_text())["certificate_ends"]
    except (OSError, ValueError):
        own = None
    if own is not None:
        ends.add(own, certificate="server")
    if days_left.isdigit():
        ends.add(time.time() + int(days_left) * 86400, certificate="monitoring")
    return ends


def maintenance(path: Path = MAINTENANCE) -> Family:
    """Whether users see the maintenance page."""
    family = Family("mems_maintenance", "gauge", "Whether M EMS is under maintenance, announced.")
    try:
        return family.add(path.exists())
    except OSError:  # a folder that is not for us
        return family


class Page:
    """All families; one caller at a time, since the sums are kept in memory."""

    def __init__(self, requests: Requests, machine: Machine) -> None:
        self.requests = requests
        self.machine = machine
        self._lock = threading.Lock()

    def text(self, days_left: str) -> str:
        """As Prometheus reads it."""
        with self._lock:
            requests = self.requests.families()
        families = [*checked(), maintenance(), certificates(days_left), *requests, *self.machine.families()]
        return render(families)


def handler(text: Callable[[str], str]) -> type[BaseHTTPRequestHandler]:
    """Answers GET /metrics, and nothing else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            body = text(self.headers.get(DAYS_LEFT, "")).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Four lines a minute would tell nothing."""

    return Handler


def main() -> None:
    """Serve until stopped."""
    words = argparse.ArgumentParser()
    words.add_argument("--port", type=int, default=9188)
    port = words.parse_args().port
    page = Page(Requests(LOG), Machine())
    ThreadingHTTPServer(("127.0.0.1", port), handler(page.text)).serve_forever()


if __name__ == "__main__":
    main()
