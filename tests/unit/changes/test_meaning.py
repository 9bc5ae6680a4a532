"""What a difference means: the table of docs/changes.md, variable by variable."""

from pathlib import Path

import pytest
import yaml

from orchestrator.changes.differences import Difference, Kind
from orchestrator.changes.meaning import Step, activity_of, meaning, with_taken_over

REPOSITORY = Path(__file__).parents[3]
# What a role reads comes with this activity's run; None: it is read by the next run, which nothing orders.
OF_ROLE = {
    "base": "deploy",
    "mems": "deploy",
    "mems_tryton": "deploy",
    "backup": "backup",
    "backup_server": "backup",
    "monitor": "monitor",
    "monitoring_server": "monitor",
    "harden": "harden",
    "patch": None,
    "drill": None,
    "recover": None,
    "resize": None,
}
CHANGES = [
    ("server_spec", "resize"),
    ("server_disk_gib", "resize"),
    ("aws_ssh_cidrs", "resize"),
    ("server_stop_to_resize", None),
    ("server_provider", "migration"),
    ("mems_profile", "migration"),
    ("mems_tryton_modules", "customisation"),
    ("mems_tryton_workers", "deploy"),
    ("base_packages", "deploy"),
    ("somebodys_own", "deploy"),
    ("harden_sysctls", "harden"),
    ("backup_bandwidth_mib", "backup"),
    ("monitor_long_polls", "monitor"),
    ("patch_restart_last", None),
    ("recover_port", None),
    ("ansible_host", None),
]


def changed(server: str, key: str, before: str | None = "1", after: str | None = "2") -> Difference:
    return Difference(server, Kind.CHANGED, key, before, after)


@pytest.mark.parametrize(("key", "activity"), CHANGES)
def test_a_variable_means_an_activity(key: str, activity: str | None) -> None:
    found, words = activity_of(key)
    assert found == activity
    assert bool(words) == (activity is None)


@pytest.mark.parametrize("role", OF_ROLE)
def test_each_variable_of_a_role_comes_with_its_activity(role: str) -> None:
    """Every variable that a role's argument_specs declare under its own name; none is forgotten here."""
    specs = yaml.safe_load((REPOSITORY / "roles" / role / "meta" / "argument_specs.yml").read_text())
    options = {key for entry in specs["argument_specs"].values() for key in entry.get("options", {})}
    own = sorted(key for key in options if key.startswith(f"{role}_"))
    assert own
    assert {activity_of(key)[0] for key in own} == {OF_ROLE[role]}


def test_no_role_that_maintains_a_customers_server_is_forgotten() -> None:
    roles = {path.name for path in (REPOSITORY / "roles").iterdir() if path.is_dir()}
    assert roles - {"orchestrator", "server_lock"} == set(OF_ROLE)


def test_steps_come_in_order_with_their_reasons() -> None:
    """First room, then what needs it; one step for all servers of an activity."""
    found = meaning(
        [
            changed("erp1", "harden_sysctls"),
            changed("erp2", "server_spec"),
            changed("erp2", "mems_tryton_workers"),
            changed("erp1", "mems_tryton_workers"),
        ]
    )
    assert [(step.activity, step.servers) for step in found.steps] == [
        ("resize", ("erp2",)),
        ("deploy", ("erp1", "erp2")),
        ("harden", ("erp1",)),
    ]
    assert found.steps[0].because == ("erp2: server_spec: 1 -> 2",)


def test_a_new_server_is_deployed_by_itself() -> None:
    """The others wait for a window, it does not; what the schedule brings is said."""
    found = meaning(
        [Difference("erp2", Kind.NEW), changed("erp1", "mems_tryton_workers")], ["backup", "patch"]
    )
    assert [(step.servers, step.is_new) for step in found.steps] == [(("erp2",), True), (("erp1",), False)]
    assert "by itself follow, as the contract says: backup, patch" in found.notes[0]


def test_what_is_said_for_the_first_time_moves_nothing() -> None:
    """A server that is taken into the stack is not moved to another provider."""
    found = meaning([changed("erp1", "server_provider", None, '"lab"')])
    assert [step.activity for step in found.steps] == ["resize"]


def test_what_is_gone_or_read_later_orders_nothing() -> None:
    found = meaning([Difference("erp1", Kind.GONE), changed("erp2", "patch_restart_last")])
    assert found.steps == ()
    assert "nothing on it is changed or deleted" in found.notes[0]
    assert found.notes[1] == "erp2: patch_restart_last: 1 -> 2: read by the next run of that name"


def test_what_waits_is_taken_over_for_servers_that_are_still_there() -> None:
    steps = (Step("deploy", ("erp1",), ("erp1: a",)),)
    waiting = [("run-1", "deploy", ("erp1", "erp2", "gone")), ("run-2", "harden", ("erp1",))]
    found = with_taken_over(steps, waiting, {"erp1", "erp2"})
    assert found == (
        Step("deploy", ("erp1", "erp2"), ("erp1: a", "erp2: run-1 waited for it")),
        Step("harden", ("erp1",), ("erp1: run-2 waited for it",)),
    )
