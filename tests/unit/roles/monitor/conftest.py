import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAMS = Path(__file__).parents[4] / "roles/monitor/files"


@pytest.fixture
def monitor_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a program of roles/monitor as the server does: in its folder, neighbours importable by name."""
    monkeypatch.syspath_prepend(str(PROGRAMS))
    yield importlib.import_module
    for path in PROGRAMS.glob("*.py"):
        sys.modules.pop(path.stem, None)
