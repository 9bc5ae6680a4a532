import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, leftovers
from orchestrator import settings

for folder in ("backup", "recover"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))

from recovering import Recovered  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recovered]:
    """An M EMS server with its backup server, in a lab of its own."""
    folder = tmp_path_factory.mktemp("recover")
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
