"""The plan of a set, the originals behind it, and whom changed files concern."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]


def names(commit: ModuleType, wish: dict[str, Any]) -> list[str]:
    return [change["name"] for change in commit.plan({"exempt": [], **wish})]


@pytest.fixture
def managed(harden_program: Load, tmp_path: Path) -> tuple[ModuleType, Path]:
    """A file of concern ssh that is managed: now `new`, before `old`."""
    commit, parts, state = (harden_program(name) for name in ("commit", "parts", "state"))
    path = tmp_path / "managed"
    path.write_text("old\n")
    state.ORIGINALS.mkdir(parents=True)
    record = parts.keep(path, state.ORIGINALS / "copy")
    path.write_text("new\n")
    index = {"files": {str(path): {"concern": "ssh", "record": record}}, "switches": {}}
    (state.ORIGINALS / "index.json").write_text(json.dumps(index))
    return commit, path


def test_nothing_differs_nothing_is_planned(managed: tuple[ModuleType, Path]) -> None:
    """The second run of the same set."""
    commit, path = managed
    entry = {"path": str(path), "content": "new\n"}
    assert names(commit, {"sets": [{"concern": "ssh", "files": [entry]}]}) == []


def test_of_two_files_with_one_path_the_later_wins(managed: tuple[ModuleType, Path]) -> None:
    """The customer's own file beats ours."""
    commit, path = managed
    ours, theirs = ({"path": str(path), "content": text} for text in ("other\n", "new\n"))
    sets = [{"concern": "ssh", "files": [ours]}, {"concern": "extra", "files": [theirs]}]
    assert names(commit, {"sets": sets}) == []


def test_an_exception_brings_the_original_back(managed: tuple[ModuleType, Path]) -> None:
    """A rule that is switched off after it was applied, and a file that the set no longer has."""
    commit, path = managed
    back = [f"{path} (as it was before)"]
    assert names(commit, {"sets": [], "exempt": ["ssh"]}) == back
    assert names(commit, {"sets": [{"concern": "ssh", "files": []}]}) == back
    assert names(commit, {"sets": [{"concern": "cron", "files": []}]}) == []


def test_a_switch_is_planned_when_it_is_not_so_yet(harden_program: Load) -> None:
    """`is` is asked; exit code 0 means that there is nothing to do."""
    switches = [
        {"name": name, "is": [word], "do": ["true"], "undo": ["true"]}
        for name, word in (("so", "true"), ("not so", "false"))
    ]
    sets = [{"concern": "services", "switches": switches}]
    assert names(harden_program("commit"), {"sets": sets}) == ["not so"]


def test_nothing_can_be_confirmed_that_was_undone(harden_program: Load) -> None:
    """A confirmation that comes too late is refused in words."""
    said = harden_program("commit").confirm("a-run", [])
    assert said["confirmed"] is False and "undone before" in said["words"]


def test_the_door_is_told_first(harden_program: Load) -> None:
    """Firewall and SSH before PostgreSQL and nginx, whatever order the files come in."""
    paths = ["/etc/postgresql/15/main/pg_hba.conf", "/etc/nginx/nginx.conf", "/etc/ssh/sshd_config.d/a.conf"]
    topics = harden_program("react").topics([*paths, "/etc/nftables.conf", "/etc/crontab"])
    assert topics == ["firewall", "ssh", "nginx", "postgresql", "application"]


def test_a_units_file_concerns_its_unit(harden_program: Load) -> None:
    """A drop-in its unit, one of M EMS's template the application, a folder of links nobody."""
    react = harden_program("react")
    units = "/etc/systemd/system"
    assert react.units_of([f"{units}/ssh.service.d/x.conf", f"{units}/mems@.service.d/x.conf"]) == [
        "ssh.service"
    ]
    assert react.topics([f"{units}/mems@.service.d/x.conf"]) == ["units", "application"]
    assert react.units_of([f"{units}/multi-user.target.wants/x.service"]) == []


def test_a_report_of_a_reverted_run_says_so(harden_program: Load) -> None:
    """rolled_back, why, no change; a later attempt that is confirmed clears it."""
    compose = harden_program("report").compose
    known = {"server": "s", "exceptions": [], "not_applicable": [], "warnings": [], "proofs": []}
    times = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:01:00+00:00"}
    undone = {**times, "outcome": "reverted", "why": "not proven", "changed": ["/etc/x"]}
    kept = {**times, "outcome": "confirmed", "why": "", "changed": ["/etc/x"]}
    first = compose(known, {"attempts": [undone]}, "r", False)
    assert (first["rolled_back"], first["confirmed"], first["changed"]) == (True, False, [])
    second = compose(known, {"attempts": [undone, kept]}, "r", False)
    assert (second["rolled_back"], second["confirmed"], second["changed"]) == (False, True, ["/etc/x"])
    assert len(second["unit"]["attempts"]) == 2 and second["unit"]["name"] == "amc-r-harden"
    assert compose(known, {"attempts": [kept]}, "r", True)["confirmed"] is False
