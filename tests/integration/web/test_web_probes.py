"""What the HTTP side must refuse: each probe gets a problem document, changes nothing, and tells nothing."""

import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from orchestrator.database.engine import reading
from orchestrator.web.limits import MOST_BYTES

from .conftest import Served

Probe = Callable[[Served], httpx.Response]
DEEP = "[" * 100_000


def _orders(token: str | None = "lena", **changes: Any) -> Probe:
    return lambda served: served.order(token, **changes)


def _ask(method: str, path: str, token: str | None = "lena", **more: Any) -> Probe:
    return lambda served: served.ask(method, path, token, **more)


def _raw(content: bytes, kind: str = "application/json") -> Probe:
    return _ask("POST", "/v1/orders", content=content, headers={"Content-Type": kind})


PROBES: dict[str, tuple[int, Probe]] = {
    "no token": (401, _ask("GET", "/v1/balance/acme", None)),
    "a token nobody made": (401, _orders("nobody's")),
    "a revoked token": (401, _orders("left")),
    "a token that is over": (401, _orders("old")),
    "another scheme": (401, _ask("GET", "/metrics", None, headers={"Authorization": "Basic cm9vdDpyb290"})),
    "a token in the address": (401, _ask("GET", "/metrics?token=amc_x", None)),
    "another customer's work": (403, _orders(customer="globex", servers=["globex-erp1"])),
    "another customer's balance": (403, _ask("GET", "/v1/balance/globex")),
    "a customer that is not there": (403, _ask("GET", "/v1/balance/initech")),
    "CI orders": (403, _orders("pipeline")),
    "a monitor reads a balance": (403, _ask("GET", "/v1/balance/acme", "prometheus")),
    "an engineer reads the figures": (403, _ask("GET", "/metrics")),
    "another customer's server": (400, _orders(servers=["globex-erp1"])),
    "a path for a customer": (422, _orders(customer="../provider")),
    "a path for a run": (404, _ask("POST", "/v1/runs/..%2f..%2fetc/beat")),
    "a run that is not there": (400, _ask("POST", "/v1/runs/acme-x/beat")),
    "SQL for a run": (422, _ask("POST", "/v1/runs/x' OR '1'='1/beat")),
    "a template for a reason": (
        400,
        _orders(options={"without_proven_backup": "{{ lookup('pipe', 'id') }}"}),
    ),
    "control characters": (422, _orders(urgent="now\x1b[2J")),
    "a field too much": (422, _orders(charged_seconds=0)),
    "no server": (422, _orders(servers=[])),
    "a number for a name": (422, _orders(host=7)),
    "not JSON": (422, _raw(b"{")),
    "JSON without a bottom": (400, _raw(DEEP.encode())),
    "a form": (415, _raw(b"customer=acme", "application/x-www-form-urlencoded")),
    "too large": (413, _raw(b" " * (MOST_BYTES + 1))),
    "another way": (405, _ask("DELETE", "/v1/orders")),
    "nothing there": (404, _ask("GET", "/docs")),
    "the schema": (404, _ask("GET", "/openapi.json")),
}


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_refused(served: Served, name: str) -> None:
    """RFC 9457, and the database is as it was."""
    status, probe = PROBES[name]
    before = _everything(served)
    answer = probe(served)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    said = answer.json()
    assert said["status"] == status and said["type"].startswith("urn:amc:problem:")
    assert said.keys() == {"type", "title", "status", "detail", "mend", "exit_code"}
    assert "Traceback" not in answer.text and str(served.settings.home) not in answer.text
    assert "server" not in answer.headers
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
    if status == 405:
        assert answer.headers["allow"] == "POST"
    assert _everything(served) == before


def test_a_run_belongs_to_the_token_that_began_it(served: Served) -> None:
    """Another engineer of the same customer neither keeps it alive nor ends it."""
    run = served.order().json()["run"]
    for path, body in (("beat", None), ("settle", {"status": "successful"})):
        answer = served.ask("POST", f"/v1/runs/{run}/{path}", "oskar", json=body)
        assert answer.status_code == 400 and "no run by hand of yours" in answer.text
    ended = {"status": "successful", "servers": {"acme-erp1": {"ok": 3}}}
    answer = served.ask("POST", f"/v1/runs/{run}/settle", json=ended)
    assert answer.json()["state"] == "done"


def test_a_report_can_not_leave_its_folder(served: Served) -> None:
    """Names of servers and activities become paths: others are refused, and the run stays open."""
    run = served.order(activity="check", servers=["acme-erp2"]).json()["run"]
    for reports in ({"../../x": {"check": {}}}, {"acme-erp2": {"../x": {}}}, {"..": {"check": {}}}):
        answer = served.ask(
            "POST", f"/v1/runs/{run}/settle", json={"status": "successful", "reports": reports}
        )
        assert answer.status_code == 422
    assert served.ask("POST", f"/v1/runs/{run}/beat").json()["state"] == "running"
    assert served.ask("POST", f"/v1/runs/{run}/settle", json={"status": "failed"}).json()["state"] == "failed"


def test_the_same_key_is_the_same_run_until_it_has_ended(served: Served) -> None:
    """An answer that got lost is asked for again; what has ended is never let in twice."""
    asked = {"activity": "check", "servers": ["acme-erp2"], "key": "once"}
    first, second = served.order(**asked), served.order(**asked)
    assert first.status_code == second.status_code == 201
    assert first.json()["run"] == second.json()["run"]
    assert served.order(**asked | {"servers": ["acme-erp1"]}).status_code == 400
    served.ask("POST", f"/v1/runs/{first.json()['run']}/settle", json={"status": "failed"})
    assert "was begun under this key before" in served.order(**asked).text


def test_a_body_that_is_never_declared_is_cut_off(served: Served) -> None:
    """Chunks without an end: refused once there are too many of them."""
    chunks = (b" " * 65536 for _ in range(1000))
    headers = {"Content-Type": "application/json"}
    try:
        answer = served.ask("POST", "/v1/orders", content=chunks, headers=headers)
    except httpx.HTTPError:
        return  # the connection was closed while we were still sending
    assert answer.status_code == 413


def test_a_header_without_an_end_is_cut_off(served: Served) -> None:
    """16 KiB of one header and no more."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_what_is_allowed_is_answered(served: Served) -> None:
    """Health for everybody, the balance for CI, the figures for a monitor."""
    assert served.ask("GET", "/health", None).json() == {"status": "ok"}
    balance = served.ask("GET", "/v1/balance/acme", "pipeline").json()
    assert (balance["contract"], balance["year"]) == ("AMC-2026-0001", 2026)
    figures = served.ask("GET", "/metrics", "prometheus")
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "amc_runs" in figures.text


def test_no_secret_lies_in_the_database(served: Served) -> None:
    """Nor in an answer: only the hash is kept."""
    with reading(served.engine) as connection:
        rows = json.dumps(
            [list(row) for row in connection.execute(text("SELECT * FROM tokens"))], default=str
        )
    assert not [name for name, secret in served.secrets.items() if secret in rows]


def _everything(served: Served) -> tuple[int, int]:
    with reading(served.engine) as connection:
        runs, postings = (
            connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("runs", "ledger_postings")
        )
    return runs, postings
