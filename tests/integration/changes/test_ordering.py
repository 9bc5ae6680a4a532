"""What a merge orders: exactly what was shown, once, with the merged commit's inventories."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from orchestrator.changes.survey import survey
from orchestrator.contracts.read import read_customer
from orchestrator.errors import HoursInsufficient, InvalidInput, NotCovered, UsageError, Waiting
from orchestrator.runs import beginning, placing, waiting
from orchestrator.runs.order import Order
from orchestrator.runs.states import State
from tests.integration.changes.conftest import NOW, Desk
from tests.integration.changes.server import CONTRACT, EVERY_DAY, HOSTS

HOST_VARS = "inventories/acme/host_vars/acme-erp1.yml"
CONTRACT_FILE = "inventories/acme/group_vars/all/contract.yml"
FRIDAYS = CONTRACT.replace("DAYS", "friday")


def test_once_with_the_merged_inventory(either_desk: Desk) -> None:
    """Announced three times: one run, its folder is the commit's, the link leads there."""
    desk = either_desk
    base, head = desk.push({HOST_VARS: "mems_greeting: good day\nharden_banner: high\n"})
    (proposal,) = desk.plan(base, head)
    assert [(each.activity, each.held, each.left) for each in proposal.orders] == [
        ("deploy", 7200, 28800),
        ("harden", 3600, 25200),
    ]
    for _ in range(3):
        (ordered,) = desk.apply(base, head)
        assert ordered.refusal is None and ordered.digest == proposal.digest
    deploy, harden = desk.runs()
    assert desk.queued == [deploy.id, harden.id]
    assert [each.key for each in (deploy, harden)] == [
        f"change:{head}:acme-erp1:deploy",
        f"change:{head}:acme-erp1:harden",
    ]
    assert deploy.cause == f"change {head[:12]}"
    inventory = Path(deploy.inventory)
    assert (
        inventory.is_relative_to(desk.kept.tree(head))
        and "good day" in (inventory / "host_vars" / "acme-erp1.yml").read_text()
    )
    assert Path(deploy.repository) == desk.kept.tree(head)
    assert desk.kept.merged.resolve() == desk.kept.tree(head).resolve()


def test_a_moved_server_asks_for_a_new_plan(desk: Desk) -> None:
    """Between plan and merge somebody deploys: nothing is ordered until it was planned again."""
    base, head = desk.push({HOST_VARS: "mems_greeting: good day\n"})
    desk.plan(base, head)
    contract = read_customer(desk.settings.inventories, "acme")
    order = Order("acme", "deploy", ("acme-erp1",), "engineer", "by-hand")
    run, _ = placing.place(desk.engine, desk.settings, contract, order, now=NOW, enqueue=lambda *_: None)

    beginning.begin(desk.settings, desk.engine, run.id, NOW)
    (ordered,) = desk.apply(base, head)
    assert isinstance(ordered.refusal, Waiting) and ordered.refusal.exit_code == 6
    assert "the last runs on the servers moved since it was planned" in str(ordered.refusal)
    assert [each.id for each in desk.runs()] == [run.id]
    desk.plan(base, head)
    (ordered,) = desk.apply(base, head)
    assert ordered.refusal is None and len(desk.runs()) == 3  # deploy, and harden: its banner is gone


def test_what_nobody_saw_is_not_ordered(desk: Desk) -> None:
    base, head = desk.push({HOST_VARS: "mems_greeting: good day\nharden_banner: low\n"})
    (ordered,) = desk.apply(base, head)
    assert "this change was never planned" in str(ordered.refusal) and desk.runs() == []


def test_other_playbooks_are_another_plan(desk: Desk) -> None:
    """The commit that is merged has the planned inventory, and code that nobody saw with it."""
    base, head = desk.push({HOST_VARS: "mems_greeting: good day\nharden_banner: low\n"})
    desk.plan(base, head)
    _, later = desk.push({"playbooks/deploy.yml": "- hosts: mems\n"})
    (ordered,) = desk.apply(base, later)
    assert "the playbooks and roles it works with moved" in str(ordered.refusal) and desk.runs() == []


def test_a_later_merge_takes_over_what_waits(either_desk: Desk) -> None:
    """The first waits for Friday; the second orders both with its own inventory; the first is cancelled."""
    desk = either_desk
    base, head = desk.push({CONTRACT_FILE: FRIDAYS.replace("version: 1", "version: 2")}, "Fridays only")
    assert desk.plan(base, head)[0].orders == ()
    assert desk.apply(base, head)[0].runs == ()
    base, head = desk.push({HOST_VARS: "mems_greeting: hello\nharden_banner: high\n"})
    (proposal,) = desk.plan(base, head)
    assert proposal.orders[0].at and proposal.orders[0].at > NOW + timedelta(days=2)
    desk.apply(base, head)
    (first,) = desk.runs()
    assert (first.state, first.planned_at, desk.queued) == (State.WAITING, proposal.orders[0].at, [])

    base, later = desk.push({HOST_VARS: "mems_greeting: good day\nharden_banner: high\n"})
    now = NOW + timedelta(hours=1)
    (proposal,) = desk.plan(base, later, now)
    assert proposal.replaces == (first.id,)
    assert [each.activity for each in proposal.orders] == ["deploy", "harden"]
    # The first one's hour comes back before the second's three are taken.
    assert [each.left for each in proposal.orders] == [28800, 25200]
    for _ in range(2):
        (ordered,) = desk.apply(base, later, now)
    assert ordered.refusal is None
    first, deploy, harden = desk.runs()
    assert (first.state, first.words) == (State.CANCELLED, f"its work is part of change {later[:12]}")
    assert {each.repository for each in (deploy, harden)} == {str(desk.kept.tree(later))}


def test_an_older_merge_that_comes_late_is_refused(desk: Desk) -> None:
    """Its servers were told something newer: its inventory would take that back."""
    base, first = desk.push({HOST_VARS: "mems_greeting: one\nharden_banner: low\n"})
    _, second = desk.push({HOST_VARS: "mems_greeting: two\nharden_banner: low\n"})
    for head in (first, second):
        desk.plan(base, head)
    assert desk.apply(base, second)[0].refusal is None
    (late,) = desk.apply(base, first)
    assert isinstance(late.refusal, Waiting) and "this change begins elsewhere" in str(late.refusal)
    (rest,) = desk.apply(first, second)
    assert rest.refusal is None and [is_new for _, is_new in rest.runs] == [False]
    assert len(desk.runs()) == 1
    assert desk.kept.newest() == second


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        ({HOST_VARS: "mems_profile: other\n"}, None, ""),
        ({HOST_VARS: "mems_greeting: hello\nharden_banner: low\nmems_x_modules: [crm]\n"}, NotCovered, "E1"),
        (
            {
                HOST_VARS: "mems_greeting: hi\nharden_banner: low\n",
                CONTRACT_FILE: CONTRACT.replace("DAYS", EVERY_DAY)
                .replace("version: 1", "version: 2")
                .replace("per_calendar_year: 10", "per_calendar_year: 1"),
            },
            HoursInsufficient,
            "1:00 of them are missing",
        ),
    ],
)
def test_a_refusal_orders_nothing(
    desk: Desk, files: dict[str, str], error: type[Exception] | None, words: str
) -> None:
    """As a whole: not what is covered of it either. What names a profile first is a deployment."""
    base, head = desk.push(files)
    (proposal,) = desk.plan(base, head)
    (ordered,) = desk.apply(base, head)
    if error is None:
        assert ordered.refusal is None
        return
    assert isinstance(ordered.refusal, error) and words in str(ordered.refusal)
    assert proposal.exit_code == ordered.refusal.exit_code
    assert desk.runs() == [] and desk.kept.applied("acme") is None


def test_a_contract_that_changes_has_a_new_version(desk: Desk) -> None:
    base, head = desk.push({CONTRACT_FILE: FRIDAYS})
    with pytest.raises(InvalidInput, match="write `version: 2`") as told:
        desk.plan(base, head)
    assert told.value.problems[0].file == Path(f"{head[:12]}:{CONTRACT_FILE}")


def test_an_invalid_inventory_names_its_file_as_the_repository_does(desk: Desk) -> None:
    base, head = desk.push({CONTRACT_FILE: "amc_contract: {customer: acme}\n"})
    with pytest.raises(InvalidInput) as told:
        desk.plan(base, head)
    assert all(str(each.file) == f"{head[:12]}:{CONTRACT_FILE}" for each in told.value.problems)


def test_new_and_gone_servers(desk: Desk) -> None:
    """A new server is deployed at once; of one that is gone nothing is touched."""
    two = HOSTS.replace("acme-erp1:", "acme-erp2:")
    base, head = desk.push(
        {"inventories/acme/hosts.yml": two, CONTRACT_FILE: FRIDAYS.replace("n: 1", "n: 2")}
    )
    (proposal,) = desk.plan(base, head)
    assert [(each.activity, each.servers, each.at) for each in proposal.orders] == [
        ("deploy", ("acme-erp2",), None)
    ]
    assert any(note.startswith("acme-erp1: no longer in the inventory") for note in proposal.notes)


def test_a_branch_that_lags_behind_is_refused(desk: Desk) -> None:
    """Its difference would take back what was merged meanwhile."""
    base, head = desk.push({HOST_VARS: "mems_greeting: one\nharden_banner: low\n"})
    desk.server.git("switch", "--quiet", "--detach", base)
    desk.server.write(HOST_VARS, "mems_greeting: two\nharden_banner: low\n")
    aside = desk.server.commit("Beside it")
    desk.server.git("push", "--quiet", "origin", f"{aside}:refs/heads/aside")
    with pytest.raises(UsageError, match="merge or rebase"):
        desk.plan(head, "aside")


def test_a_customer_that_ends(desk: Desk) -> None:
    desk.server.git("rm", "-r", "--quiet", "inventories/acme")
    base, head = desk.push({"inventories/README.md": "nobody\n"})
    (proposal,) = desk.plan(base, head)
    assert proposal.orders == () and "nothing more is maintained" in proposal.notes[-1]
    (ordered,) = desk.apply(base, head)
    assert ordered.refusal is None and ordered.runs == ()


def test_what_was_not_valid_is_no_beginning(desk: Desk) -> None:
    """A mistake that was merged is mended by a plan from before it."""
    good = desk.server.head()
    _, broken = desk.push({CONTRACT_FILE: "amc_contract: {customer: acme}\n"})
    _, mended = desk.push({CONTRACT_FILE: FRIDAYS.replace("version: 1", "version: 2")})
    with pytest.raises(InvalidInput, match="begin with an older --base") as told:
        desk.plan(broken, mended)
    assert str(told.value.problems[0].file).startswith(f"{broken[:12]}:")
    assert desk.plan(good, mended)[0].contract_differences[0] == "version: 1 -> 2"


def test_what_differs_beside_the_customers_is_named(desk: Desk) -> None:
    """Nothing is ordered for it; the link that an installation may follow leads to it."""
    base, head = desk.push(
        {
            "roles/harden/tasks/main.yml": "[]\n",
            "inventories/provider/hosts.yml": "all: {children: {backup_server: {hosts: {backup1: }}}}\n",
            "docs/page.md": "words\n",
        }
    )
    with survey(desk.settings, desk.history, base, head) as found:
        assert found.customers == ()
        shared, code = found.notes
    assert shared.startswith("inventories/provider/ differs") and code.startswith("roles/harden differ")
    assert desk.apply(base, head) == [] and desk.apply(head, head) == []
    assert desk.kept.newest() == head
    with (
        pytest.raises(UsageError, match="there is no customer nobody"),
        survey(desk.settings, desk.history, base, head) as found,
    ):
        found.wanted("nobody")


def test_killed_between_two_orders_it_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is there, one of two orders is placed: the next announcement places the other."""
    base, head = desk.push({HOST_VARS: "mems_greeting: good day\nharden_banner: high\n"})
    desk.plan(base, head)
    place = placing.place

    def dies(*words: Any, **more: Any) -> Any:
        if desk.runs():
            raise KeyboardInterrupt
        return place(*words, **more)

    monkeypatch.setattr(placing, "place", dies)
    with pytest.raises(KeyboardInterrupt):
        desk.apply(base, head)
    monkeypatch.setattr(placing, "place", place)
    assert [run.activity for run in desk.runs()] == ["deploy"] and desk.kept.applied("acme") is None
    (ordered,) = desk.apply(base, head)
    assert [(run.activity, is_new) for run, is_new in ordered.runs] == [("deploy", False), ("harden", True)]
    assert len(desk.runs()) == len(desk.queued) == 2


def test_in_its_window_it_is_released(desk: Desk) -> None:
    """By the windows of the merged contract; the installation's own says every day."""
    base, head = desk.push(
        {
            CONTRACT_FILE: FRIDAYS.replace("version: 1", "version: 2"),
            HOST_VARS: "mems_greeting: hello\nharden_banner: high\n",
        }
    )
    desk.plan(base, head)
    ((run, _),) = desk.apply(base, head)[0].runs
    assert run.planned_at

    def enqueue(_connection: Connection, name: str, _customer: str) -> None:
        desk.queued.append(name)

    waiting.release(desk.engine, run.planned_at - timedelta(hours=1), enqueue)
    assert desk.queued == []
    waiting.release(desk.engine, run.planned_at, enqueue)
    assert desk.queued == [run.id]
