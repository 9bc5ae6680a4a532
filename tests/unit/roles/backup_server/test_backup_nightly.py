"""nightly.py: what it does again after a part that failed, with small programs in place of the real ones."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]
# Notes that it was called; fails as often as its file of failures has lines.
PART = """
import sys
from pathlib import Path
folder, name = Path(__file__).parent, Path(__file__).stem
with (folder / "called").open("a") as called:
    called.write(name + " ")
failures = folder / (name + ".failures")
lines = failures.read_text().splitlines() if failures.exists() else []
failures.write_text("\\n".join(lines[1:]))
sys.exit(1 if lines else 0)
"""


@pytest.fixture
def night(
    backup_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    """A night in which parts fail so many times; its exit code and what was called, in order."""
    nightly = backup_program("nightly")
    monkeypatch.setattr(nightly.pairs, "PROGRAMS", tmp_path)
    monkeypatch.setattr(nightly.pairs, "as_barman", lambda: None)
    for name in ("backup", "files", "verify"):
        (tmp_path / f"{name}.py").write_text(PART)

    def run(tries: int, **failures: int) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["nightly.py", "--server=s", "--pause=0", f"--tries={tries}"])
        for name, times in failures.items():
            (tmp_path / f"{name}.failures").write_text("x\n" * times)
        code: int = nightly.main()
        return code, (tmp_path / "called").read_text().strip()

    return run


@pytest.mark.parametrize(
    ("tries", "failures", "code", "called"),
    [
        (1, {"backup": 1}, 1, "backup files verify"),
        (3, {}, 0, "backup files verify"),
        (3, {"backup": 1}, 0, "backup files verify backup files verify"),
        (3, {"verify": 2}, 0, "backup files verify verify verify"),
        (3, {"files": 3}, 1, "backup files verify files verify files verify"),
    ],
)
def test_it_goes_on_from_what_failed_while_there_are_tries(
    night: Callable[..., tuple[int, str]], tries: int, failures: dict[str, int], code: int, called: str
) -> None:
    """A new backup is verified, a whole one is not made again; what failed keeps nothing from coming."""
    assert night(tries, **failures) == (code, called)
