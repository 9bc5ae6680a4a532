"""One server for the lock-outs of this module, fresh before each: every one is undone."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab

sys.path.insert(0, str(Path(__file__).parents[3] / "bench/soak"))

import lockouts


@pytest.fixture(scope="module")
def target(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lockouts.Target]:
    """A server with M EMS that was never hardened."""
    yield lockouts.start(lab, tmp_path_factory.mktemp("harden"))
    lab.destroy(lockouts.NAME)
