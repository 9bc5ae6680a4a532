"""The files that are ready to be copied call `amc` as it is."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

from orchestrator.cli.main import app

REPOSITORY = Path(__file__).parents[3]
WORKFLOW = REPOSITORY / "docs" / "github-actions.yml"
HOOK = REPOSITORY / "scripts" / "post-receive"


def called(text: str) -> list[tuple[str, list[str]]]:
    """(verb, options) of each `amc change …` in it."""
    found = re.findall(r'(?:amc|"\$amc") change (\w+)((?: (?:--[\w-]+|"[^"]*"|[\w^]+))*)', text)
    return [(verb, re.findall(r"--[\w-]+", rest)) for verb, rest in found]


@pytest.mark.parametrize("file", [WORKFLOW, HOOK], ids=["github-actions.yml", "post-receive"])
def test_each_call_is_one_of_the_command_line(file: Path) -> None:
    command: Any = typer.main.get_command(app)
    change: Any = command.commands["change"]
    calls = called(file.read_text())
    assert {verb for verb, _ in calls} == {"plan", "apply"}
    for verb, options in calls:
        params = change.commands[verb].params
        known = {
            name
            for each in params
            if isinstance(each, click.Option) or hasattr(each, "opts")
            for name in each.opts
        }
        assert {"--base", "--head", "--git"} <= set(options) <= known


def test_the_workflow_is_for_nobodys_fork() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert set(workflow["on"]) == {"pull_request", "push"}
    plan, apply = workflow["jobs"]["plan"], workflow["jobs"]["apply"]
    assert "head.repo.full_name == github.repository" in plan["if"]
    assert apply["if"] == "github.event_name == 'push'"
    scripts = [step.get("run", "") for job in (plan, apply) for step in job["steps"]]
    assert not [script for script in scripts if "${{" in script], "an expression in a script is an injection"
