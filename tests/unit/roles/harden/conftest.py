import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAMS = Path(__file__).parents[4] / "roles/harden/files"


@pytest.fixture
def harden_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a program of roles/harden with its neighbours; it keeps its state in tmp_path."""
    monkeypatch.syspath_prepend(str(PROGRAMS))
    names = [path.stem for path in PROGRAMS.glob("*.py")]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    state = importlib.import_module("state")
    for name, path in (("HOME", "harden"), ("PENDING", "harden/pending"), ("ORIGINALS", "harden/originals")):
        monkeypatch.setattr(state, name, tmp_path / path)
    monkeypatch.setattr(state, "ARMED", tmp_path / "harden/pending/armed.json")
    monkeypatch.setattr(state, "RUNS", tmp_path / "runs")
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)
