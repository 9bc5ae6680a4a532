import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab

sys.path.insert(0, str(Path(__file__).parent))

from patching import REPOSITORY, PatchedServer

NAME = "patched1"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where reports are fetched to, as the orchestrator would say."""
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def server(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PatchedServer]:
    """A server with M EMS deployed and months of updates pending."""
    built = subprocess.run(
        [sys.executable, REPOSITORY / "molecule/lab/mems_layer.py"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=900,
    )
    lab.up([NAME], layer=built.stdout.strip())
    patched = PatchedServer(NAME, lab.ssh_config, tmp_path_factory.mktemp("patch"))
    patched.wait("sudo /usr/local/lib/mems/check", "M EMS to answer", 90)
    yield patched
    lab.destroy(NAME)
