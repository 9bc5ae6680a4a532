"""What the engine's plan means for each server: from which specification to which. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.sizing.catalogue import Spec
from orchestrator.sizing.policies import INSTANCE, LAB_SERVER, VOLUME, spec_of, type_of

COMPONENT = "mems:index:MemsServer"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # what the engine writes for what only the cloud will know
HARMLESS = {"same", "refresh", "read"}
RUNNING = "aws:ec2transitgateway/instanceState:InstanceState"  # to start a stopped server is never too much
# The heaviest first: a server whose volume is replaced is replaced.
_ACTIONS = {
    "replace": {"replace", "create-replacement", "delete-replaced"},
    "delete": {"delete"},
    "create": {"create", "import"},
    "update": {"update"},
}


@dataclass(frozen=True)
class Size:
    """A server's specification: its name in the catalogue, CPUs, MiB, GiB; None: none, or no limit."""

    spec: str | None
    cpus: float | None
    memory_mib: int | None
    disk_gib: int | None


@dataclass(frozen=True)
class ServerChange:
    """One server: `action` is same, create, update, replace or delete; None where there is no server."""

    name: str
    action: str
    before: Size | None
    after: Size | None


def changes(
    plan: Mapping[str, Any], state: Mapping[str, Any], catalogue: Mapping[str, Spec]
) -> list[ServerChange]:
    """Every server of the plan (the engine's JSON) or of the state, by name."""
    planned = plan.get("resourcePlans", {})
    steps = dict[str, set[str]]()
    for urn, each in planned.items():
        if name := _server(urn):
            steps.setdefault(name, set()).update(each.get("steps") or ())
    before = sizes(((each["urn"], _said(each)) for each in state["resources"]), catalogue)
    after = sizes(((urn, each.get("state") or {}) for urn, each in planned.items()), catalogue)
    found = []
    for name in sorted({*steps, *before}):
        actions = [action for action, of in _ACTIONS.items() if of & steps.get(name, {"delete"})]
        action = actions[0] if actions else "same"
        gone = action == "delete"
        found.append(ServerChange(name, action, before.get(name), None if gone else after.get(name)))
    return found


def sizes(
    resources: Iterable[tuple[str, Mapping[str, Any]]], catalogue: Mapping[str, Spec]
) -> dict[str, Size]:
    """The size of each server, from (URN, properties) of its parts."""
    found, volumes = dict[str, Size](), dict[str, int]()
    for urn, said in resources:
        name, kind = _server(urn), type_of(urn)
        if not name:
            continue
        if kind == VOLUME:
            volumes[name] = int(said["size"])
        if kind in (INSTANCE, LAB_SERVER):
            spec = spec_of(kind, said, catalogue)
            memory, disk = said.get("memoryMib"), said.get("diskGib")
            found[name] = Size(
                spec.name if spec else None,
                spec.cpus if spec else said.get("cpus"),
                spec.memory_mib if spec else (int(memory) if memory else None),
                int(disk) if disk else None,
            )
    return {
        name: Size(size.spec, size.cpus, size.memory_mib, volumes.get(name, size.disk_gib))
        for name, size in found.items()
    }


def beyond(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """URNs to which the plan `now` does what `approved` did not: what is left of it is never more."""
    found = []
    allowed = approved.get("resourcePlans", {})
    for urn, planned in now.get("resourcePlans", {}).items():
        goal = planned.get("goal") or {}
        steps = set(planned.get("steps") or ()) - HARMLESS
        if not steps or not _is_real(urn, goal) or type_of(urn) == RUNNING:
            continue
        before = allowed.get(urn) or {}
        differences = goal.get("inputDiff") or {}
        values = {**differences.get("adds", {}), **differences.get("updates", {})}
        meant = before.get("state") or {}
        if not steps <= set(before.get("steps") or ()) or any(
            meant.get(key, UNKNOWN) not in (value, UNKNOWN) for key, value in values.items()
        ):
            found.append(urn)
    return found


def touched(plan: Mapping[str, Any]) -> set[str]:
    """The servers that the plan does something to; what is no server's own is named by its URN."""
    return {
        _server(urn) or urn
        for urn, each in plan.get("resourcePlans", {}).items()
        if _is_real(urn, each.get("goal") or {}) and set(each.get("steps") or ()) - HARMLESS
    }


def _is_real(urn: str, goal: Mapping[str, Any]) -> bool:
    """Not a component, a stack or a provider, which exist in the engine only."""
    return goal.get("custom") is not False and not type_of(urn).startswith("pulumi:")


def _said(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {**resource.get("inputs", {}), **resource.get("outputs", {})}


def _server(urn: str) -> str:
    """The server that a resource belongs to; empty for what a customer's servers share."""
    return urn.rpartition("::")[2] if COMPONENT in urn.split("::")[2].split("$") else ""
