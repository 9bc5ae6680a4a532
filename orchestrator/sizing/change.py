"""A change of a customer's servers: planned, then applied exactly as planned, or taken back.

    python -m orchestrator.sizing.change plan  --customer C --folder F [--server S --spec X]
    python -m orchestrator.sizing.change apply --folder F
    python -m orchestrator.sizing.change back  --folder F
    python -m orchestrator.sizing.change measured --folder F --server S --seconds N    how long it was away

`plan` writes F/plan.json (the engine's) and F/change.json, prints the latter and changes nothing; exit
code 3 when a policy or an input is against it. `apply` refuses (6) when commit, inventory, plan or state
are not those of the plan. Killed at any point, `apply` or `back` can be called again and goes on: what
the dead engine left is cleared up, what is really there is looked at, and what is left of the approved
plan is done. `back` brings specifications back, not disks, which only grow. Both print {"changed",
"servers", "seconds"}.
"""

import argparse
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator import settings as all_settings
from orchestrator.contracts.read import read_customer
from orchestrator.errors import AmcError, InvalidInput, NeedsPerson, Problem, UsageError, Waiting
from orchestrator.fleet.read import read as read_fleet
from orchestrator.settings import Settings
from orchestrator.sizing import announced, catalogue, downtime, fingerprints, locks, planned, policies, wanted
from orchestrator.sizing.stack import Protected, Stack

PLAN, CHANGE, APPLIED, BACK = "plan.json", "change.json", "applied.json", "back.json"
HISTORY = "downtimes.jsonl"


@dataclass(frozen=True)
class Change:
    """A planned change, as F/change.json has it; `specs` are the ordered ones, {server: specification}."""

    customer: str
    specs: dict[str, str]
    commit: str
    inventory_sha256: str
    state_sha256: str
    plan_sha256: str
    made_at: str
    servers: list[dict[str, Any]]
    sentences: list[str]

    @staticmethod
    def of(folder: Path) -> "Change":
        """The change that was planned in this folder. UsageError when there is none."""
        try:
            return Change(**json.loads((folder / CHANGE).read_text()))
        except FileNotFoundError:
            raise UsageError(f"nothing is planned in {folder}", "plan first") from None
        except (TypeError, ValueError) as error:
            raise UsageError(f"{folder / CHANGE} is damaged: {error}", "plan again") from None


@dataclass(frozen=True)
class Result:
    """Whether anything changed, each server's size in the engine's state now, and the seconds it took."""

    changed: bool
    servers: dict[str, dict[str, Any]]
    seconds: float


def plan(settings: Settings, customer: str, folder: Path, specs: Mapping[str, str] | None = None) -> Change:
    """Plan what the inventories, and `specs` before them, want; nothing is changed.

    InvalidInput when an inventory, the contract or a policy is against it; UsageError for an order of
    what there is not; MachineUnfit without an engine.
    """
    ordered = dict(specs or {})
    fleet = read_fleet(settings.inventories, customer)
    servers = {each.name: each for each in wanted.of_fleet(fleet, ordered)}
    written = {each.name: each for each in wanted.of_fleet(fleet, {})} if ordered else servers
    cap = read_customer(settings.inventories, customer).growth.usd_per_month_cap
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    stack = Stack(settings, customer)
    state = stack.state()
    try:
        engines_plan = stack.preview(ordered, folder / PLAN)
    except Protected as error:
        _refuse([policies.kept(*each) for each in error.resources], folder / PLAN)
        raise
    _refuse(policies.refusals(engines_plan, state, catalogue.read(), cap), folder / PLAN)
    found = planned.changes(engines_plan, state, catalogue.read())
    told = announced.servers(found, servers, written, settings.pulumi_dir / HISTORY)
    change = Change(
        customer=customer,
        specs=ordered,
        commit=fingerprints.commit(settings.repository),
        inventory_sha256=fingerprints.of_folder(settings.inventories / customer),
        state_sha256=fingerprints.of_state(state),
        plan_sha256=fingerprints.of_file(folder / PLAN),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        servers=told,
        sentences=announced.sentences(told),
    )
    _write(folder / CHANGE, asdict(change))
    return change


def apply(settings: Settings, folder: Path) -> Result:
    """Do what was planned in the folder, or what is left of it; done already, say so again.

    Waiting when something has moved since the plan, or somebody else holds the stack; NeedsPerson when
    what is left is not what was planned.
    """
    change = Change.of(folder)
    with _alone(folder):
        if (folder / BACK).exists():
            raise Waiting(f"what was planned in {folder} was taken back", "plan again")
        if done := _done(folder / APPLIED):
            return done
        begun = (folder / APPLIED).exists()
        stack = Stack(settings, change.customer)
        if begun:
            locks.settle(settings)
        locks.clear(settings, change.customer)
        state = stack.state()
        _refuse_moved(settings, folder, change, None if begun else state)
        _write(folder / APPLIED, {"begun_at": _now()})
        started = time.monotonic()
        if begun:
            changed = _go_on(stack, state, change.specs, folder, folder / "left.json")
        else:
            _unfinished(stack, state)
            changed = bool(planned.touched(_read(folder / PLAN)))
            stack.up(change.specs, folder / PLAN)
        return _record(folder / APPLIED, stack, changed or begun, started)


def back(settings: Settings, folder: Path) -> Result:
    """Bring back the specifications from before the change, wherever it stands; not disks, which only grow.

    Waiting when somebody else holds the stack; NeedsPerson when the way back would touch anything else.
    """
    change = Change.of(folder)
    specs = {each["name"]: str(each["from"]["spec"]) for each in change.servers if _can_go_back(each)}
    with _alone(folder):
        if done := _done(folder / BACK):
            return done
        stack = Stack(settings, change.customer)
        locks.settle(settings)
        locks.clear(settings, change.customer)
        state = stack.state()
        _write(folder / BACK, {"begun_at": _now()})
        started = time.monotonic()
        _unfinished(stack, state)
        if not specs:
            return _record(folder / BACK, stack, False, started)
        engines_plan = stack.preview({**change.specs, **specs}, folder / "back-plan.json")
        # What was approved with it may be done with it; a server that was made by it stays.
        others = planned.touched(engines_plan) - set(specs) - planned.touched(_read(folder / PLAN))
        if others:
            raise NeedsPerson(
                f"the way back would change {', '.join(sorted(others))} too",
                "look at the inventory and at `pulumi preview` by hand (docs/growing.md)",
            )
        _refuse(policies.refusals(engines_plan, state, catalogue.read()), folder / "back-plan.json")
        changed = bool(planned.touched(engines_plan))
        stack.up({**change.specs, **specs}, folder / "back-plan.json")
        return _record(folder / BACK, stack, changed, started)


def _go_on(
    stack: Stack, state: Mapping[str, Any], specs: Mapping[str, str], folder: Path, left: Path
) -> bool:
    """After a kill: look at what was begun, and do what is left of the approved plan, never more."""
    _unfinished(stack, state)
    engines_plan = stack.preview(specs, left)
    if more := planned.beyond(_read(folder / PLAN), engines_plan):
        raise NeedsPerson(
            f"what is left to do is more than what was planned: {', '.join(more)}",
            "plan again, or go back; `pulumi preview` by hand says what is different (docs/growing.md)",
        )
    _refuse(policies.refusals(engines_plan, stack.state(), catalogue.read()), left)
    stack.up(specs, left)
    return bool(planned.touched(engines_plan))


def _unfinished(stack: Stack, state: Mapping[str, Any]) -> None:
    """Operations that were begun and not ended: looked up in what is really there."""
    pending = state["pending_operations"]
    if not pending:
        return
    lost = [
        each["resource"]["urn"]
        for each in pending
        if each["type"] == "creating" and each["resource"]["type"].startswith("aws:")
    ]
    if lost:
        raise NeedsPerson(
            f"the engine died while it made {', '.join(lost)}: whether it is there, it doesn't know",
            "look in AWS for what has the server's tags, then `pulumi import` or delete it: docs/growing.md",
        )
    stack.refresh()


def _can_go_back(server: Mapping[str, Any]) -> bool:
    """A server that was there, with a specification that has a name."""
    return server["action"] != "same" and bool(server["from"]) and bool(server["from"]["spec"])


def _refuse_moved(settings: Settings, folder: Path, change: Change, state: Mapping[str, Any] | None) -> None:
    """`state` None: it was begun, so the state has moved by our own doing, and what is left is looked at."""
    moved = []
    if not (folder / PLAN).exists() or fingerprints.of_file(folder / PLAN) != change.plan_sha256:
        moved.append("the plan itself")
    if state is not None:
        if fingerprints.commit(settings.repository) != change.commit:
            moved.append("the checkout")
        if fingerprints.of_folder(settings.inventories / change.customer) != change.inventory_sha256:
            moved.append(f"the inventory of {change.customer}")
        if fingerprints.of_state(state) != change.state_sha256:
            moved.append("the state of the servers")
    if moved:
        raise Waiting(f"{' and '.join(moved)} moved since it was planned", "plan again")


def _refuse(refusals: list[policies.Refusal], file: Path) -> None:
    if refusals:
        raise InvalidInput([Problem(file, 0, str(each), each.mend) for each in refusals])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time works on a folder; the kernel frees the lock however it ends."""
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Waiting(f"another process carries out what is planned in {folder}", "wait for it") from None
        yield


def _record(file: Path, stack: Stack, changed: bool, started: float) -> Result:
    resources = (
        (each["urn"], {**each.get("inputs", {}), **each.get("outputs", {})})
        for each in stack.state()["resources"]
    )
    servers = {name: asdict(size) for name, size in planned.sizes(resources, catalogue.read()).items()}
    result = Result(changed, servers, round(time.monotonic() - started, 2))
    _write(file, {**_read(file), "done_at": _now(), "result": asdict(result)})
    return result


def _done(file: Path) -> Result | None:
    result = _read(file).get("result") if file.exists() else None
    return Result(**{**result, "changed": False}) if result else None


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all, also after a power cut."""
    part = file.with_name(f"{file.name}.part")
    with part.open("w") as opened:
        json.dump(content, opened, indent=1)
        opened.flush()
        os.fsync(opened.fileno())
    part.replace(file)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def main() -> None:
    """Do what the words ask; an error of ours becomes its words on stderr and its exit code."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("what", choices=["plan", "apply", "back", "measured"])
    words.add_argument(
        "--folder", type=Path, required=True, help="where the plan and what became of it are kept"
    )
    words.add_argument("--customer", help="whose servers, for plan")
    words.add_argument("--server", help="with --spec (plan) or --seconds (measured)")
    words.add_argument("--spec", help="the specification that the server is to have")
    words.add_argument("--seconds", type=float, help="measured: how long the server did not answer")
    asked = words.parse_args()
    settings = all_settings.read()
    try:
        print(json.dumps(_asked(settings, asked), indent=1))
    except AmcError as error:
        print(f"change: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _asked(settings: Settings, asked: argparse.Namespace) -> dict[str, Any]:
    folder = asked.folder.absolute()
    if asked.what == "plan":
        if not asked.customer or bool(asked.server) != bool(asked.spec):
            raise UsageError("plan needs --customer, and --server only together with --spec", "add them")
        specs = {asked.server: asked.spec} if asked.server else {}
        return asdict(plan(settings, asked.customer, folder, specs))
    if asked.what == "measured":
        if not asked.server or asked.seconds is None:
            raise UsageError("measured needs --server and --seconds", "add them")
        return measured(settings, folder, asked.server, asked.seconds)
    return asdict(apply(settings, folder) if asked.what == "apply" else back(settings, folder))


def measured(settings: Settings, folder: Path, server: str, seconds: float) -> dict[str, Any]:
    """Keep how long a server that was stopped did not answer, for the next prediction."""
    for each in Change.of(folder).servers:
        if each["name"] == server:
            if each["stops"]:
                downtime.record(settings.pulumi_dir / HISTORY, each["provider"], server, seconds)
            return {"server": server, "seconds": seconds, "predicted_s": each["downtime_s"]}
    raise UsageError(f"the change of {folder} has no server {server!r}", "its servers are in change.json")


if __name__ == "__main__":
    main()
