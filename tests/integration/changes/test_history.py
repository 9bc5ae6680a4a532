"""Reading commits: of a branch nothing is executed, and nothing leads out of its folder."""

import os
from pathlib import Path

import pytest

from orchestrator.changes.history import History
from orchestrator.changes.survey import survey
from orchestrator.errors import InvalidInput, MachineUnfit, UsageError
from tests.integration.changes.conftest import Desk
from tests.integration.changes.server import HOSTS


def _mode(desk: Desk, path: str, words: str) -> InvalidInput:
    base, head = desk.server.head("HEAD~1"), desk.server.head()
    with pytest.raises(InvalidInput, match=words) as told, survey(desk.settings, desk.history, base, head):
        pass
    assert [str(each.file) for each in told.value.problems] == [path]
    return told.value


def test_links_and_executables_are_refused(desk: Desk, tmp_path: Path) -> None:
    """A link would show a file of this machine; Ansible runs an inventory that is executable."""
    (desk.server.clone / "inventories" / "acme" / "group_vars" / "all" / "more.yml").symlink_to("/etc/passwd")
    desk.push({})
    _mode(desk, "inventories/acme/group_vars/all/more.yml", "a symbolic link")
    (desk.server.clone / "inventories" / "acme" / "group_vars" / "all" / "more.yml").unlink()
    desk.push({})
    ran = tmp_path / "ran"
    desk.server.write("inventories/acme/hosts.yml", f"#!/bin/sh\n# {HOSTS[:3]}\ntouch {ran}\n")
    (desk.server.clone / "inventories" / "acme" / "hosts.yml").chmod(0o755)
    desk.push({})
    _mode(desk, "inventories/acme/hosts.yml", "Ansible would run it")
    assert not ran.exists()


def test_attributes_of_the_branch_hide_nothing(desk: Desk) -> None:
    """`git archive` would leave out what the branch says it should."""
    base, head = desk.push(
        {
            ".gitattributes": "inventories/** export-ignore\n",
            "inventories/acme/host_vars/acme-erp1.yml": "mems_greeting: hidden\nharden_banner: low\n",
        }
    )
    (proposal,) = desk.plan(base, head)
    assert [str(each) for each in proposal.differences] == ['mems_greeting: "hello" -> "hidden"']


def test_a_commit_is_kept_whole_and_the_source_is_not_touched(desk: Desk, tmp_path: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in desk.server.bare.rglob("*"))
    head = desk.server.head()
    kept = desk.history.keep(head, tmp_path / "kept" / head)
    assert desk.history.keep(head, kept) == kept
    assert History(kept, "inventories").commit("HEAD") == head
    assert (kept / "playbooks" / "deploy.yml").is_file()
    assert sorted((path, path.stat().st_mtime_ns) for path in desk.server.bare.rglob("*")) == before
    assert [path.name for path in kept.parent.iterdir()] == [head]


def test_a_hooks_variables_lead_nowhere(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """git sets GIT_DIR for a hook; another repository is still the one that is named."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert desk.history.commit("main") == desk.history.commit("HEAD")
    assert "GIT_DIR" in os.environ


def test_what_is_not_there_is_said(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no commit 'nowhere'"):
        desk.history.commit("nowhere")
    with pytest.raises(UsageError, match="no commit '--help'"):
        desk.history.commit("--help")
    with pytest.raises(MachineUnfit, match="name the repository with --git"):
        History(tmp_path, "inventories").commit("HEAD")
