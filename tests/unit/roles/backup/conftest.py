import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAMS = Path(__file__).parents[4] / "roles/backup/files"


@pytest.fixture
def source_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a program that role backup puts on the M EMS server."""
    monkeypatch.syspath_prepend(str(PROGRAMS))
    yield importlib.import_module
    for path in PROGRAMS.glob("*.py"):
        sys.modules.pop(path.stem, None)
