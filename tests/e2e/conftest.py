"""One installation as a newcomer makes it: a fresh clone, `scripts/up`, a home of its own."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installation:
    """A clone and its home; `amc` runs its command line and never raises for an exit code."""

    folder: Path
    environment: dict[str, str]

    @property
    def home(self) -> Path:
        return Path(self.environment["AMC_HOME"])

    def run(self, *words: str, deadline_s: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )

    def amc(self, *words: str, deadline_s: float = 600) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.folder / ".venv/bin/amc"), *words, deadline_s=deadline_s)

    def json(self, *words: str) -> Any:
        """The document that a command prints; fails with its words when it does not exit 0."""
        done = self.amc(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


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
    down = installation.amc("lab", "down")
    assert down.returncode == 0, down.stdout + down.stderr


@pytest.fixture(scope="session")
def installation(clone: Installation) -> Installation:
    """The clone after its first `scripts/up`."""
    up = clone.run("scripts/up", deadline_s=1200)
    assert up.returncode == 0, up.stdout[-6000:] + up.stderr[-3000:]
    (clone.folder.parent / "up.out").write_text(up.stdout)
    return clone
