"""A git server for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.changes.server import Server


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Server]:
    """A bare repository and an installation, without a server process."""
    built = Server(tmp_path)
    built.build()
    yield built
    built.close()


@pytest.fixture
def served(repository: Server) -> Server:
    """The same, served on loopback, with the hook."""
    repository.serve()
    return repository
