"""What a plan means for each server, and whether what is left of one is never more."""

from dataclasses import astuple
from pathlib import Path

import pytest

from orchestrator.sizing import catalogue
from orchestrator.sizing.announced import sentences, servers
from orchestrator.sizing.planned import RUNNING, beyond, changes, touched
from orchestrator.sizing.policies import INSTANCE, LAB_SERVER, VOLUME
from tests.unit.sizing.plans import OF_A_SERVER, URNS, plan, state

NOTHING_MEASURED = Path("nowhere")
LARGE = {"cpus": 2, "memoryMib": 4096}


def test_a_lab_server_is_resized() -> None:
    """From and to with their names in the catalogue."""
    (change,) = changes(plan(LAB_SERVER, "update", **LARGE), state(LAB_SERVER), catalogue.read())
    assert (change.name, change.action) == ("erp1", "update")
    assert change.before and astuple(change.before) == ("lab.medium", 1, 2048, 12)
    assert change.after and astuple(change.after) == ("lab.large", 2, 4096, 12)
    assert touched(plan(LAB_SERVER, "update", **LARGE)) == {"erp1"}


def test_an_instance_has_its_volumes_size() -> None:
    """The data volume is the server's disk; the heaviest step of its parts is the server's."""
    planned = plan(INSTANCE, "same")
    planned["resourcePlans"] |= plan(VOLUME, "update", size=80)["resourcePlans"]
    (change,) = changes(planned, state(INSTANCE, VOLUME), catalogue.read())
    assert change.action == "update"
    assert change.before and change.after
    assert (change.before.disk_gib, change.after.disk_gib, change.after.spec) == (60, 80, "m6i.large")


@pytest.mark.parametrize(
    ("steps", "action"),
    [
        (("same",), "same"),
        (("create",), "create"),
        (("delete",), "delete"),
        (("create-replacement", "replace", "delete-replaced"), "replace"),
    ],
)
def test_the_other_actions(steps: tuple[str, ...], action: str) -> None:
    """One word for the engine's steps; a server that goes has no size afterwards."""
    (change,) = changes(plan(LAB_SERVER, *steps), state(LAB_SERVER), catalogue.read())
    assert (change.action, change.after is None) == (action, action == "delete")


def test_a_server_that_the_plan_does_not_know_goes() -> None:
    """The engine plans no step for what a program no longer has; it deletes it."""
    (change,) = changes({"resourcePlans": {}}, state(LAB_SERVER), catalogue.read())
    assert change.action == "delete"


def test_what_is_left_is_never_more() -> None:
    """The rest of an approved change passes; another value, another step, another resource do not."""
    approved = plan(LAB_SERVER, "update", **LARGE)
    assert beyond(approved, approved) == []
    assert beyond(approved, plan(LAB_SERVER, "update", memoryMib=4096)) == []
    assert beyond(approved, plan(LAB_SERVER, "same")) == []
    assert beyond(approved, plan(LAB_SERVER, "update", cpus=4)) == [URNS[LAB_SERVER]]
    assert beyond(approved, plan(LAB_SERVER, "delete")) == [URNS[LAB_SERVER]]
    assert beyond(approved, plan(VOLUME, "update", size=80)) == [URNS[VOLUME]]


def test_a_stopped_server_may_always_be_started() -> None:
    """The one step that a kill can make necessary though nobody planned it."""
    start = {f"{OF_A_SERVER}{RUNNING}::erp1": {"goal": {"custom": True}, "steps": ["update"]}}
    assert beyond(plan(INSTANCE, "update"), {"resourcePlans": start}) == []


def test_sentences_for_who_decides() -> None:
    """What, from where to where, for how long, at which cost; deletion and a foreign size in words too."""
    known = catalogue.read()
    found = changes(plan(LAB_SERVER, "update", cpus=3), state(LAB_SERVER), known)
    (sentence,) = sentences(servers(found, {}, {}, NOTHING_MEASURED))
    assert "lab.medium (1 CPU, 2048 MiB, disk 12 GiB) -> no specification of the catalogue (3 CPU" in sentence
    gone = changes({"resourcePlans": {}}, state(LAB_SERVER), known)
    assert sentences(servers(gone, {}, {}, NOTHING_MEASURED)) == ["erp1 would be deleted."]
