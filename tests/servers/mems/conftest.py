"""M EMS on a lab server, one for each module: `mems`."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab

sys.path.insert(0, str(Path(__file__).parent))

from mems_server import NAME, MemsServer, start


@pytest.fixture(scope="module")
def mems(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemsServer]:
    """A server that answers business calls, destroyed after the module."""
    yield start(lab, tmp_path_factory.mktemp("mems"))
    lab.destroy(NAME)
