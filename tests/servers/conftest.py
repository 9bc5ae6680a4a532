"""Real lab servers for tests. A machine that cannot carry a lab fails here, in words: it never skips.

`lab` is the session's lab, in a folder of its own; it is taken down at the end whatever happened, and what is
left of it is counted. Tests name their servers after what they are for, and leave others' alone.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import Lab, leftovers
from orchestrator import settings

CACHE = settings.read().cache
"""Images and layers are shared with every other lab of this user."""


def _say(line: str) -> None:
    print(line, file=sys.__stderr__, flush=True)


@pytest.fixture(scope="session")
def amc_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AMC_HOME of the session: commands given it work with the session's lab."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def lab(amc_home: Path) -> Iterator[Lab]:
    """The session's lab. A SIGTERM of the test run takes it down too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    made = Lab(amc_home / "lab", CACHE, say=_say)
    try:
        yield made
    finally:
        made.down()
        signal.signal(signal.SIGTERM, before)
    assert leftovers(made.names.lab) == {}


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of one test, for what would disturb others."""
    made = Lab(tmp_path / "lab", CACHE, say=_say)
    try:
        yield made
    finally:
        made.down()
    assert leftovers(made.names.lab) == {}


Shell = Callable[[Lab, str, str], str]


@pytest.fixture(scope="session")
def shell() -> Shell:
    """`shell(lab, server, command)` runs a command there as `ops`; it must succeed. Returns its output."""

    def run(lab: Lab, server: str, command: str) -> str:
        done = subprocess.run(
            ["ssh", "-F", lab.ssh_config, "-o", "BatchMode=yes", server, command],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    return run
