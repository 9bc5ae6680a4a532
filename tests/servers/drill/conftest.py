import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, leftovers
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parent.parent / "backup"))

from backed_up import Pair


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """An M EMS server with its backup server, in a lab of its own: drills add and remove servers there."""
    folder = tmp_path_factory.mktemp("drill")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    lab = Lab(folder / "lab", settings.read().cache)
    try:
        yield Pair(lab, folder).start()
    finally:
        lab.down()
        signal.signal(signal.SIGTERM, before)
    assert leftovers(lab.names.lab) == {}
