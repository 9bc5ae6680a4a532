import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PATCH = Path(__file__).parents[3] / "roles/patch/files"


@pytest.fixture
def patch_program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a program of roles/patch as the server does: in its folder, neighbours importable by name."""
    monkeypatch.syspath_prepend(str(PATCH))
    neighbours = {path.stem for path in PATCH.glob("*.py")}

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, PATCH / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in neighbours:
        sys.modules.pop(name, None)
