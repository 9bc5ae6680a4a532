import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PATCH = Path(__file__).parents[3] / "roles/patch/files"
BASE = Path(__file__).parents[3] / "roles/base/files"


@pytest.fixture
def patch_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a program of roles/patch as the server does: in its folder, neighbours importable by name."""
    for folder in (BASE, PATCH):
        monkeypatch.syspath_prepend(str(folder))
    programs = {path.stem: path for folder in (BASE, PATCH) for path in folder.glob("*.py")}

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, programs[name])
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in programs:
        sys.modules.pop(name, None)
