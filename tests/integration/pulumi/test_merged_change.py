"""A resize that a merge asks for: Pulumi's preview in the plan, approved by the merge, bound to the state."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator import settings
from orchestrator.changes import ordering
from orchestrator.changes.document import document
from orchestrator.changes.history import History
from orchestrator.changes.kept import Kept
from orchestrator.changes.proposal import Proposal
from orchestrator.changes.survey import survey
from orchestrator.database.engine import connect
from orchestrator.errors import Waiting
from orchestrator.runs import store
from orchestrator.runs.states import State
from orchestrator.runs.store import Run
from orchestrator.settings import Settings
from orchestrator.sizing import change
from tests.integration.pulumi.installation import Installation

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday; the window is on Sundays
SHARED = "all: {children: {backup_server: {hosts: {backup1: }}}}\n"


def _git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=R. Weber", "-c", "user.email=weber@example.com"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture
def merged(running: Installation, tmp_path: Path) -> tuple[History, list[str]]:
    """A repository of the installation's files; its commits ask for more, and for less again."""
    folder = tmp_path / "repository"
    shutil.copytree(running.repository / "pulumi", folder / "pulumi")
    shutil.copytree(running.customer_folder, folder / "inventories" / "erpco")
    for name, text in {
        "inventories/provider/hosts.yml": SHARED,
        "playbooks/resize.yml": "- hosts: mems\n",
    }.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    _git(folder, "init", "--quiet", "--initial-branch", "main")
    commits = []
    file = folder / "inventories" / "erpco" / "host_vars" / "erpco-erp1.yml"
    text = file.read_text()
    for spec in ("m6i.large", "m6i.xlarge", "m6i.large"):
        file.write_text(text.replace("m6i.large", spec))
        _git(folder, "add", "--all")
        _git(folder, "commit", "--quiet", "--message", f"A server of {spec}")
        commits.append(_git(folder, "rev-parse", "HEAD"))
    return History(folder, "inventories"), commits


def test_planned_ordered_carried_out_and_bound_to_the_state(
    running: Installation, merged: tuple[History, list[str]], migrated_sqlite: Path, tmp_path: Path
) -> None:
    """The second merge was planned before the first was carried out: then it means something else."""
    history, (small, large, again) = merged
    shutil.copyfile(migrated_sqlite, tmp_path / "amc.db")
    mine = replace(settings.read(), database_url=f"sqlite:///{tmp_path / 'amc.db'}")
    (order,) = _plan(mine, history, small, large).orders
    assert (order.activity, order.stops, order.exit_code) == ("resize", True, 0)
    assert "erpco-erp1 changes, stopped for about" in order.preview[0]
    for _ in range(2):
        ordered = _apply(mine, history, small, large)
    ((run, is_new),) = ordered.runs
    assert (run.state, run.activity, is_new) == (State.WAITING, "resize", False)
    assert run.decision and run.decision["by"] == "R. Weber"
    assert "merged as it was planned" in run.decision["why"]
    early = _plan(mine, history, large, again)
    assert early.replaces == (run.id,)

    plan = store.evidence(mine, run.id).plan
    assert change.Change.of(plan).commit == large
    with pytest.raises(Waiting, match="the checkout"):  # the installation's own is none of this run's
        change.apply(mine, plan)
    assert _carried_out(mine, run) == "m6i.xlarge" == running.server()["type"]

    refusal = _apply(mine, history, large, again).refusal
    assert isinstance(refusal, Waiting)
    assert "what Pulumi knows of the servers moved since it was planned" in str(refusal)
    _plan(mine, history, large, again)
    ((second, _),) = _apply(mine, history, large, again).runs
    assert _carried_out(mine, second) == "m6i.large" == running.server()["type"]


def _carried_out(mine: Settings, run: Run) -> str:
    """As its playbook does it, with the repository and the inventories of its row; the specification then."""
    at = replace(mine, repository=Path(run.repository), inventories=Path(run.inventory).parent)
    result = change.apply(at, store.evidence(mine, run.id).plan)
    assert result.changed
    return str(result.servers["erpco-erp1"]["spec"])


def _plan(mine: Settings, history: History, base: str, head: str) -> Proposal:
    with survey(mine, history, base, head) as found:
        proposal = found.proposal(connect(mine.database_url), "erpco", NOW)
    Kept(mine.home / "changes").keep_plan(proposal.digest, document(proposal))
    return proposal


def _apply(mine: Settings, history: History, base: str, head: str) -> ordering.Ordered:
    engine = connect(mine.database_url)
    (found,) = ordering.apply(mine, engine, history, base, head, now=NOW, enqueue=lambda *_: None)
    return found
