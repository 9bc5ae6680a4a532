"""One installation as a newcomer makes it: a fresh clone, `scripts/up`, a home of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from installation import Installation

REPOSITORY = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the whole of `scripts/up`, beside other tests."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1500))


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A fresh clone with an empty home; whatever lab it made is gone at the end, whatever happened."""
    base = tmp_path_factory.mktemp("e2e")
    folder = base / "clone"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AMC_") or name == "AMC_CACHE"
    }
    path = f"{folder / '.venv/bin'}:{kept['PATH']}"
    installation = Installation(
        folder, {**kept, "AMC_HOME": str(base / "home"), "PATH": path, "NO_COLOR": "1"}
    )
    yield installation
    # By the command line of these tests: the clone's own may be what broke.
    down = installation.run(sys.executable, "-m", "orchestrator.cli.main", "lab", "down")
    assert down.returncode == 0, down.stdout + down.stderr


@pytest.fixture(scope="session")
def installation(clone: Installation) -> Installation:
    """The clone after its first `scripts/up`."""
    up = clone.run("scripts/up", deadline_s=1200)
    assert up.returncode == 0, up.stdout[-6000:] + up.stderr[-3000:]
    (clone.folder.parent / "up.out").write_text(up.stdout)
    return clone
