"""The HTTP side as a server on loopback, with tokens of every kind; nothing runs, it is only asked for."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from orchestrator import settings
from orchestrator.contracts.model import DAYS
from orchestrator.database.creation import initialise
from orchestrator.database.engine import connect
from orchestrator.web import app as web
from orchestrator.web import serving, tokens
from orchestrator.web.tokens import Role

DEMO = settings.read({}).inventories
CONTRACT = Path("group_vars", "all", "contract.yml")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Served:
    """The application, its address, its tokens by name; `now` is its clock."""

    app: FastAPI
    engine: Engine
    settings: settings.Settings
    url: str
    secrets: dict[str, str]

    def ask(self, method: str, path: str, token: str | None = "lena", **more: Any) -> httpx.Response:
        """A request with the token of that name."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {self.secrets[token]}"
        with httpx.Client(base_url=self.url, trust_env=False, timeout=30) as client:
            return client.request(method, path, headers=headers, **more)

    def order(self, token: str = "lena", **changes: Any) -> httpx.Response:
        """Work by hand; a patch of acme's server unless changed."""
        body = {"customer": "acme", "activity": "patch", "servers": ["acme-erp1"], "host": "laptop"}
        return self.ask(
            "POST", "/v1/orders", token, json=body | {"key": time.monotonic_ns().__str__()} | changes
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Acme with open windows, globex beside it; a monitor, a CI, two engineers, one revoked and one over."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "playbooks").mkdir()
    for activity in ("patch", "check", "harden", "deploy", "recover"):
        (folder / "playbooks" / f"{activity}.yml").write_text("- hosts: mems\n")
    for customer in ("acme", "globex"):
        (folder / "inventories" / customer / CONTRACT).parent.mkdir(parents=True)
        text = always_open((DEMO / customer / CONTRACT).read_text())
        (folder / "inventories" / customer / CONTRACT).write_text(text)
        hosts = f"all: {{children: {{mems: {{hosts: {{{customer}-erp1: , {customer}-erp2: }}}}}}}}\n"
        (folder / "inventories" / customer / "hosts.yml").write_text(hosts)
    (folder / "inventories" / "provider").mkdir()
    (folder / "inventories" / "provider" / "hosts.yml").write_text("backup_server: {hosts: {backup1: }}\n")
    chosen = settings.read({"AMC_HOME": str(folder / "home"), "AMC_REPOSITORY": str(folder)})
    initialise(chosen.database_url)
    engine = connect(chosen.database_url)
    app = web.create(chosen, engine, clock=lambda: NOW)
    server = uvicorn.Server(uvicorn.Config(app, port=0, **serving.OPTIONS))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Served(app, engine, chosen, f"http://127.0.0.1:{port}", _tokens(engine))
    server.should_exit = True
    thread.join(timeout=30)
    engine.dispose()


def always_open(contract: str) -> str:
    before, windows, after = contract.partition("  maintenance_windows:\n")
    rest = after[after.index("\n  activities:") :]
    return f'{before}{windows}    - {{days: [{", ".join(DAYS)}], start: "00:00", end: "24:00"}}{rest}'


def _tokens(engine: Engine) -> dict[str, str]:
    found = {}
    for name, role, customers, made in (
        ("lena", Role.ENGINEER, ["acme"], NOW),
        ("oskar", Role.ENGINEER, ["acme", "globex"], NOW),
        ("pipeline", Role.CI, ["acme"], NOW),
        ("prometheus", Role.MONITOR, [], NOW),
        ("left", Role.ENGINEER, ["acme"], NOW),
        ("old", Role.ENGINEER, ["acme"], NOW - timedelta(days=31)),
    ):
        found[name] = tokens.add(
            engine, name=name, role=role, customers=customers, days=30, by="root", now=made
        )
    tokens.revoke(engine, "left", NOW)
    return found | {"nobody's": "amc_" + "x" * 43}
