"""What role orchestrator installs is what the suite is tested with, without what only tests need."""

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[4]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; ([^\\]+))? \\$", re.MULTILINE)


def pins(lock: Path) -> dict[str, set[tuple[str, str]]]:
    """(version, condition) of each package."""
    found: dict[str, set[tuple[str, str]]] = {}
    for name, version, condition in PIN.findall(lock.read_text()):
        found.setdefault(name, set()).add((version, condition.strip()))
    return found


def test_the_servers_lock_is_a_part_of_the_suites() -> None:
    """Made by `uv pip compile` from the same pyproject.toml, with the suite's lock as its constraint."""
    own, whole = (
        pins(REPOSITORY / "roles/orchestrator/files/requirements.lock"),
        pins(REPOSITORY / "requirements.lock"),
    )
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[=<>~ ]", each)[0] for each in project["dependencies"]}
    assert wanted <= own.keys()
    assert {
        name: versions
        for name, versions in own.items()
        if {v for v, _ in versions} - {v for v, _ in whole[name]}
    } == {}
    tests_only = {re.split(r"[\[=<>~ ]", each)[0] for each in project["optional-dependencies"]["dev"]}
    assert not {"pytest", "moto", "molecule", "schemathesis"} & own.keys()
    assert {"pytest", "moto", "molecule", "schemathesis"} <= tests_only
