import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAMS = Path(__file__).parents[4] / "roles/backup_server/files"


@pytest.fixture
def backup_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a program of the backup server as it is there: neighbours importable by name."""
    monkeypatch.syspath_prepend(str(PROGRAMS))
    names = {path.stem for path in PROGRAMS.glob("*.py")}
    for name in names:
        sys.modules.pop(name, None)
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)
