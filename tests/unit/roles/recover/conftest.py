import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROLES = Path(__file__).parents[4] / "roles"
FOLDERS = (ROLES / "recover/files", ROLES / "backup_server/files")


@pytest.fixture
def recover_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a program of a recovery as its server does: neighbours importable by name."""
    names = {path.stem for folder in FOLDERS for path in folder.glob("*.py")}
    for folder in FOLDERS:
        monkeypatch.syspath_prepend(str(folder))
    for name in names:
        sys.modules.pop(name, None)
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)
