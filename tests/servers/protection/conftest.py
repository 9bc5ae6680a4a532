"""One pair of servers, M EMS and its backup server, for all tests of this folder: it takes half a minute."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, leftovers
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parent))

from recovering import Recovered

HERE = Path(__file__).parent
ORDER = (
    "test_backup_corruptions.py",
    "test_root_on_mems.py",
    "test_lost_place.py",
    "test_secrets.py",
    "test_recover.py",
    "test_recover_parts.py",
    "test_drill.py",
    "test_server_gone.py",
)
"""What only looks comes first; each test leaves the pair protected, on whichever timeline."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules of this folder in ORDER, in the places that they have among the others."""
    places = [number for number, item in enumerate(items) if item.path.parent == HERE]
    ours = sorted((items[number] for number in places), key=lambda item: ORDER.index(item.path.name))
    for number, item in zip(places, ours, strict=True):
        items[number] = item


@pytest.fixture(scope="package")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recovered]:
    """The pair, in a lab of its own: drills add and remove servers there."""
    folder = tmp_path_factory.mktemp("pair")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab(folder / "lab", settings.read().cache)
    try:
        made = Recovered(lab, folder)
        made.start()
        yield made
    finally:
        lab.down()
        signal.signal(signal.SIGTERM, before)
    assert leftovers(lab.names.lab) == {}
