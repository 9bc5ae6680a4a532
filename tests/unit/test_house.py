"""The rules of the house that no linter knows."""

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True
    ).stdout
    return [path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file()]


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def test_no_file_has_more_than_400_lines() -> None:
    """A file over 400 lines holds two nouns (generated locks and test data aside)."""
    code = [path for path in tracked() if path.suffix in {".py", ".yml", ".sh", ".md", ".j2", ""}]
    long = {str(path.relative_to(REPOSITORY)): len(lines(path)) for path in code if len(lines(path)) > 400}
    assert long == {}


def test_playbooks_are_tables_of_contents() -> None:
    """A playbook has at most 40 lines."""
    playbooks = list((REPOSITORY / "playbooks").glob("*.yml"))
    assert playbooks
    assert {path.name: len(lines(path)) for path in playbooks if len(lines(path)) > 40} == {}


def test_no_room_is_called_utils() -> None:
    """A room is named after what it is."""
    vague = re.compile(r"(^|/)(utils?|helpers?|common|manager)(\.py|\.yml)?(/|$)")
    assert [path for path in tracked() if vague.search(str(path.relative_to(REPOSITORY)))] == []


def test_every_role_describes_and_verifies_itself() -> None:
    """argument_specs, a verify of its own and a Molecule scenario for each role."""
    roles = [path for path in (REPOSITORY / "roles").iterdir() if path.is_dir()]
    assert roles
    missing = [
        f"{role.name}: {wanted}"
        for role in roles
        for wanted in (
            "meta/argument_specs.yml",
            "tasks/verify.yml",
            f"../../molecule/{role.name}/molecule.yml",
        )
        if not (role / wanted).is_file()
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]"),
        ("a blanket ignore", r"# type: ignore(\s|$)|# noqa(\s|$)"),
    ],
)
def test_nothing_tracked_holds(what: str, pattern: str) -> None:
    """Secrets and blanket ignores stay out of the repository."""
    found = [
        str(path.relative_to(REPOSITORY))
        for path in tracked()
        if path.name != Path(__file__).name
        and re.search(pattern, path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    ]
    assert found == [], what


def test_locks_hold_names_versions_and_hashes_only() -> None:
    """No lock names an index, a mirror or any other address."""
    locks = [
        path for path in tracked() if path.name == "requirements.lock" or path.match("requirements*.txt")
    ]
    assert len(locks) >= 2
    allowed = re.compile(
        r"(?:[\w.-]+==\S+(?: ; [^\\]+)? \\| +--hash=sha256:[0-9a-f]{64}(?: \\)?| *#(?!.*://).*|)"
    )
    strange = [line for path in locks for line in lines(path) if not allowed.fullmatch(line)]
    assert strange == []


@pytest.mark.parametrize(
    ("package", "only"),
    [
        ("pulumi.automation", "orchestrator/sizing/stack.py"),
        ("ansible_runner", "orchestrator/runs/execution.py"),
    ],
)
def test_one_module_knows(package: str, only: str) -> None:
    """What is kept behind one module is imported by that one."""
    imports = re.compile(rf"^\s*(from|import) {re.escape(package)}\b", re.MULTILINE)
    sources = [
        path
        for path in tracked()
        if path.suffix == ".py" and path.is_relative_to(REPOSITORY / "orchestrator")
    ]
    found = [str(path.relative_to(REPOSITORY)) for path in sources if imports.search(path.read_text())]
    assert found == [only]
