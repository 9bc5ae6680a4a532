"""The reader of documented transcripts itself."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def transcripts() -> ModuleType:
    path = Path(__file__).parents[1] / "e2e" / "transcripts.py"
    spec = importlib.util.spec_from_file_location("transcripts", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["transcripts"] = module
    spec.loader.exec_module(module)
    return module


def test_reads_commands_output_and_exit_code(transcripts: ModuleType, tmp_path: Path) -> None:
    """Only ```console blocks count; `[exit N]` belongs to the command above it."""
    document = tmp_path / "d.md"
    document.write_text("```\n$ no\n```\n```console\n$ echo a; exit 3\na\n[exit 3]\n$ echo b\nb\n```\n")
    assert [(s.line, s.command, s.expected, s.exit_code) for s in transcripts.read(document)] == [
        (5, "echo a; exit 3", ("a",), 3),
        (8, "echo b", ("b",), 0),
    ]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (("run … done",), "run x y done\n", True),
        (("run … done",), "run x\ny done\n", False),
        (("a", "…", "z"), "a\nb\nc\nz\n", True),
        (("a", "…", "z"), "a\nb\n", False),
        (("a.b",), "axb\n", False),
        (("…", "z"), "a\nb\nz\n", True),
        (("…", "z", "…"), "line of words\n" * 5000, False),
    ],
)
def test_wildcards(transcripts: ModuleType, expected: tuple[str, ...], printed: str, same: bool) -> None:
    """`…` within a line stays within it; a line of its own spans lines."""
    assert transcripts.matches(expected, printed) is same


def test_a_lie_in_the_document_is_found(transcripts: ModuleType, tmp_path: Path) -> None:
    """A wrong output and a wrong exit code are both mismatches."""
    step = transcripts.Step(1, "echo hello", ("hullo",), 0)
    assert "hello" in transcripts.run(step, {}, tmp_path, 10)
    step = transcripts.Step(1, "echo hello; exit 2", ("hello",), 0)
    assert "exit code 2" in transcripts.run(step, {}, tmp_path, 10)
    step = transcripts.Step(1, "echo hello; exit 2", ("hello",), 2)
    assert transcripts.run(step, {}, tmp_path, 10) == ""
