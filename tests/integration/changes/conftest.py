"""A git server for each test, and what is needed to work with one in this process."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from orchestrator import settings
from orchestrator.changes import ordering
from orchestrator.changes.document import document
from orchestrator.changes.history import History
from orchestrator.changes.kept import Kept
from orchestrator.changes.ordering import Ordered
from orchestrator.changes.proposal import Proposal
from orchestrator.changes.survey import survey
from orchestrator.database.engine import connect, reading
from orchestrator.runs import store
from orchestrator.runs.store import Run
from orchestrator.settings import Settings
from tests.integration.changes.server import Server

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday


@pytest.fixture
def repository(tmp_path: Path) -> Server:
    """A bare repository with a first commit, and a clone."""
    built = Server(tmp_path)
    built.build()
    return built


@pytest.fixture
def served(repository: Server) -> Iterator[Server]:
    """The same with an installation, served on loopback, with the hook."""
    repository.amc("init")
    repository.serve()
    yield repository
    repository.close()


@dataclass
class Desk:
    """Plans and orders in this process, at NOW; `queued` are the runs that reached the queue."""

    server: Server
    settings: Settings
    engine: Engine
    queued: list[str] = field(default_factory=list)

    @property
    def history(self) -> History:
        return History(self.server.bare, "inventories")

    @property
    def kept(self) -> Kept:
        return Kept(self.settings.home / "changes")

    def push(self, files: dict[str, str], words: str = "A change") -> tuple[str, str]:
        """Commit files to the main branch: the commits before and after."""
        base = self.server.head()
        for name, text in files.items():
            self.server.write(name, text)
        head = self.server.commit(words)
        self.server.git("push", "--quiet", "origin", "main")
        return base, head

    def plan(self, base: str, head: str, now: datetime = NOW) -> list[Proposal]:
        """As `amc change plan` does: shown, so kept."""
        with survey(self.settings, self.history, base, head) as found:
            proposals = [found.proposal(self.engine, name, now) for name in found.customers]
        for each in proposals:
            self.kept.keep_plan(each.digest, document(each))
        return proposals

    def apply(self, base: str, head: str, now: datetime = NOW) -> list[Ordered]:
        def enqueue(_connection: Connection, run: str, _customer: str) -> None:
            self.queued.append(run)

        return ordering.apply(self.settings, self.engine, self.history, base, head, now=now, enqueue=enqueue)

    def runs(self) -> list[Run]:
        """The oldest first."""
        with reading(self.engine) as connection:
            return store.listing(connection)[::-1]


@pytest.fixture
def desk(repository: Server, migrated_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """On SQLite."""
    shutil.copyfile(migrated_sqlite, tmp_path / "amc.db")
    return _desk(repository, f"sqlite:///{tmp_path / 'amc.db'}", monkeypatch)


@pytest.fixture
def either_desk(repository: Server, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """On both databases."""
    return _desk(repository, database_url, monkeypatch)


def _desk(repository: Server, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, repository.environment[name])
    found = settings.read(repository.environment | {"AMC_DATABASE_URL": database_url})
    return Desk(repository, found, connect(database_url))
