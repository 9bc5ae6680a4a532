"""What the command line imports, and that its commands stand in the documentation."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

from orchestrator.cli.main import app

REPOSITORY = Path(__file__).parents[2]
HEAVY = {"ansible", "ansible_runner", "alembic", "dbos", "pydantic", "rich.console", "sqlalchemy", "yaml"}


def commands(group: click.Command, words: tuple[str, ...] = ("amc",)) -> list[str]:
    found = getattr(group, "commands", None)
    if found is None:
        return [" ".join(words)]
    return [each for name, command in found.items() for each in commands(command, (*words, name))]


COMMANDS = commands(typer.main.get_command(app))


def test_help_imports_nothing_heavy() -> None:
    """`amc --help` is quick because of what it does not import."""
    program = "import sys, orchestrator.cli.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_in_the_documentation(command: str) -> None:
    """A command that no page names can't be found by those who need it."""
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")]
    assert any(command in page.read_text(encoding="utf-8") for page in pages)
