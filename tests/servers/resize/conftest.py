"""One installation with a small server for all tests of this room, and the pinned Pulumi engine."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from grown import REPOSITORY, Installation, install

from lab import Lab, leftovers
from orchestrator import settings


@pytest.fixture(scope="session")
def engine() -> str:
    """Built here when this machine has none: minutes."""
    words = [REPOSITORY / "scripts/pulumi", "--wait"]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=1500, check=True).stdout.strip()


@pytest.fixture(scope="package")
def grown(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[Installation]:
    """The installation; its lab is taken down whatever happened, and what is left of it is counted."""
    home = tmp_path_factory.mktemp("grown")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab(home / "lab", settings.read().cache)
    try:
        yield install(home)
    finally:
        lab.down()
        signal.signal(signal.SIGTERM, before)
    assert leftovers(lab.names.lab) == {}
