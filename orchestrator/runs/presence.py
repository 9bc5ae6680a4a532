"""Which workers live, on PostgreSQL: each holds an advisory lock, on a connection that does nothing else.

The server frees the lock when the worker ends, however that happens, and within half a minute when its
machine or the network is lost. So whoever gets the lock of another knows that it is dead; and a worker that
has lost its own must end at once, since another may have taken its runs. The connection's name says who it
is, and is what DBOS knows the worker by: `amc-worker:<host>:<process>:<evidence>:<random>`.

A pooler in between must pool by session.
"""

import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from orchestrator.database.engine import parse_url
from orchestrator.errors import InvalidInput, Problem
from orchestrator.runs.processes import host_id
from orchestrator.settings import Settings

WORKERS = 4_207_114  # our class of advisory locks in this database: a worker lives
ROUNDS = 4_207_115  # the worker that makes the rounds, see rounds.py
LOOK_SECONDS = 1.0
# The server's and our own patience with a connection that has fallen silent: less than half a minute.
KEEPALIVE: dict[str, Any] = {
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=20000",
}
LIVING = """
    SELECT DISTINCT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ORDER BY application_name
"""


class Name(NamedTuple):
    """A worker's name, taken apart: `evidence` tells folders of one machine apart."""

    host: str
    process: str
    evidence: str

    @staticmethod
    def of(name: str) -> "Name":
        """ValueError when that is no worker's name."""
        _, host, process, evidence, _ = name.split(":")
        return Name(host, process, evidence)


class Presence:
    """One worker's lock, held until `close` or the end of the process."""

    def __init__(self, settings: Settings) -> None:
        evidence = _folder(settings.runs_dir)
        self._connection = _connect(settings.database_url)
        self._closed = threading.Event()
        self._leads = False
        while True:
            self.name = f"amc-worker:{_short(host_id())}:{os.getpid()}:{evidence}:{secrets.token_hex(3)}"
            self._ask("SELECT set_config('application_name', %s, false)", self.name)
            if self._ask("SELECT pg_try_advisory_lock(%s, hashtext(%s))", WORKERS, self.name):
                break

    def guard(self) -> None:
        """End this process at once when the lock is lost; looks from a thread of its own."""
        threading.Thread(target=self._guard, daemon=True).start()

    def close(self) -> None:
        """Give the lock back."""
        self._closed.set()
        self._connection.close()

    def leads(self) -> bool:
        """Whether this worker is the one that makes the rounds: one of them all is, as long as it lives."""
        if not self._leads:
            self._leads = bool(self._ask("SELECT pg_try_advisory_lock(%s, 0)", ROUNDS))
        return self._leads

    @contextmanager
    def dead(self, worker: str) -> Iterator[bool]:
        """Whether that worker is dead; if so, nobody else takes its runs meanwhile."""
        gone = bool(self._ask("SELECT pg_try_advisory_lock(%s, hashtext(%s))", WORKERS, worker))
        try:
            yield gone
        finally:
            if gone:
                self._ask("SELECT pg_advisory_unlock(%s, hashtext(%s))", WORKERS, worker)

    def require_shared_evidence(self, settings: Settings) -> None:
        """Workers of one machine go on with each other's runs, so each must find the other's evidence.

        InvalidInput: another one keeps it elsewhere.
        """
        mine = Name.of(self.name)
        others = [Name.of(name) for name in living(settings) if name != self.name]
        strange = [
            name.process for name in others if name.host == mine.host and name.evidence != mine.evidence
        ]
        if strange:
            words = (
                f"another worker of this machine (process {', '.join(strange)}) keeps its evidence elsewhere"
            )
            raise InvalidInput([Problem(settings.runs_dir, 0, words, "give both the same AMC_RUNS_DIR")])

    def _guard(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            try:
                self._ask("SELECT 1")
            except psycopg.Error:
                if not self._closed.is_set():
                    os.write(
                        1, b"worker: lost its connection, hence its lock; what runs goes on without it\n"
                    )
                    os._exit(1)

    def _ask(self, query: str, *values: object) -> Any:
        row = self._connection.execute(query, values).fetchone()
        assert row
        return row[0]


def living(settings: Settings) -> list[str]:
    """The names of all workers that live, on whichever machine."""
    with _connect(settings.database_url) as connection:
        return [name for (name,) in connection.execute(LIVING, (WORKERS,)).fetchall()]


def _connect(database_url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    url = parse_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True, connect_timeout=10, **KEEPALIVE)


def _folder(path: Path) -> str:
    """The same for two names of one folder of this machine."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.stat()
    return _short(f"{found.st_dev}:{found.st_ino}")


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
