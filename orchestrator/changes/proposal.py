"""What merging a change would do for one customer: orders, their clause, hours and time, and a digest of it.

The digest is what an approval is bound to: the customer's folder before and after, the code that runs would
use, the orders, Pulumi's plan with its state, the last runs on the servers, and what waits for them. The
time, the balance and predictions are not in it: they are computed anew when the orders are placed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from orchestrator.changes import estimate
from orchestrator.changes.differences import Difference, Intent, of_contract, of_servers
from orchestrator.changes.meaning import Step, meaning, with_taken_over
from orchestrator.contracts.coverage import Excluded, decide
from orchestrator.contracts.model import Contract
from orchestrator.contracts.read import PLACE
from orchestrator.contracts.recurrence import ANY_TIME
from orchestrator.errors import AmcError, HoursInsufficient, InvalidInput, NotCovered, Problem
from orchestrator.ledger import hours, reading
from orchestrator.runs import store
from orchestrator.runs.store import Run
from orchestrator.runs.timing import timing
from orchestrator.schedule.occurrences import scheduled
from orchestrator.settings import Settings

CAUSE = "change "
"""How the cause of an order of this room begins: `change <commit>`."""
CODE = ("playbooks", "roles", "pulumi")
STATEFUL = frozenset({"deploy", "harden", "recover", "release", "resize", "update"})
"""What leaves a server other than it was planned on."""


@dataclass(frozen=True)
class Proposed:
    """One order. `held` seconds; `left` after it, None without a cap; `at` None: at once.

    `refusal`: why it would be refused, with its `exit_code`; empty and 0 when it would not. `preview` is
    Pulumi's, in sentences.
    """

    activity: str
    servers: tuple[str, ...]
    because: tuple[str, ...]
    clause: str
    stops: bool
    at: datetime | None
    held: int
    left: int | None
    refusal: str = ""
    exit_code: int = 0
    preview: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """All for one customer. `replaces` are runs that wait, whose work these orders take over."""

    customer: str
    contract: Contract | None
    differences: tuple[Difference, ...]
    contract_differences: tuple[str, ...]
    orders: tuple[Proposed, ...]
    notes: tuple[str, ...]
    replaces: tuple[str, ...]
    available: int | None
    facts: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """0, or the first of 3, 4, 5 that an order meets."""
        return min((each.exit_code for each in self.orders if each.exit_code), default=0)

    @property
    def digest(self) -> str:
        """SHA-256 of the facts."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Look:
    """Where to look: settings whose inventories are the change's, and the ids of what the two commits hold.

    `trees`: {"before", "after"} of the customer's folder and one each of CODE.
    """

    settings: Settings
    trees: dict[str, str]
    engines_plan: Path


def propose(connection: Connection, look: Look, base: Intent, head: Intent, now: datetime) -> Proposal:
    """InvalidInput: the contract changes under the same version, or Pulumi's policies are against it.

    MachineUnfit: a resize, and no engine. Pulumi's plan is left in `look.engines_plan`.
    """
    differences = of_servers(base, head)
    contract_differences = of_contract(base.contract, head.contract)
    contract = head.contract
    if contract is None:
        return _gone(look, base, differences)
    _refuse_unversioned(look, base.contract, contract, contract_differences)
    runs = store.listing(connection, head.customer)
    waiting = [run for run in runs if run.waits and run.cause.startswith(CAUSE) and not run.check_mode]
    found = meaning(differences, scheduled(contract))
    steps = with_taken_over(
        found.steps, [(run.id, run.activity, tuple(run.servers)) for run in waiting], head.servers
    )
    steps, engine = _with_engine(look, head, steps)
    orders = _costed(connection, contract, _judged(connection, contract, steps, engine, now), waiting, now)
    return Proposal(
        customer=head.customer,
        contract=contract,
        differences=differences,
        contract_differences=contract_differences,
        orders=orders,
        notes=(*found.notes, *_of_the_contract(contract_differences), *engine.notes),
        replaces=tuple(run.id for run in waiting),
        available=reading.balance(connection, contract, now).available,
        facts=_facts(look, head, orders, engine, waiting=waiting, runs=runs),
    )


@dataclass(frozen=True)
class _Engine:
    """What Pulumi would do: `servers` as in change.json, less predictions; `strange` are not the change's."""

    servers: tuple[dict[str, Any], ...] = ()
    sentences: tuple[str, ...] = ()
    state: str = ""
    strange: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        return any(each["stops"] for each in self.servers)


def _with_engine(look: Look, head: Intent, steps: Sequence[Step]) -> tuple[tuple[Step, ...], _Engine]:
    """The steps without a resize that would do nothing, and Pulumi's preview of one that would."""
    resize = next((step for step in steps if step.activity == "resize"), None)
    if resize is None:
        return tuple(steps), _Engine()
    from orchestrator.sizing import change  # the engine's client takes half a second

    planned = change.plan(look.settings, head.customer, look.engines_plan)
    touched = {each["name"] for each in planned.servers if each["action"] != "same"}
    strange = tuple(sorted(touched - set(resize.servers)))
    servers = tuple(sorted(touched & set(resize.servers)))
    engine = _Engine(
        tuple({key: each[key] for key in each if key != "downtime_s"} for each in planned.servers),
        tuple(planned.sentences),
        planned.state_sha256,
        strange,
        tuple(f"{name}: made of what it should be already" for name in resize.servers if name not in touched),
    )
    others = [step for step in steps if step is not resize]
    if servers or strange:
        others.insert(0, replace(resize, servers=servers or resize.servers))
    return tuple(others), engine


def _judged(
    connection: Connection, contract: Contract, steps: Sequence[Step], engine: _Engine, now: datetime
) -> list[Proposed]:
    """The orders without their hours."""
    return [_order(connection, contract, step, engine, now) for step in steps]


def _order(
    connection: Connection, contract: Contract, step: Step, engine: _Engine, now: datetime
) -> Proposed:
    decision = decide(contract, step.activity, now)
    is_resize = step.activity == "resize"
    plain = Proposed(
        activity=step.activity,
        servers=step.servers,
        because=step.because,
        clause=decision.clause_id,
        stops=engine.stops if is_resize else step.activity not in ANY_TIME,
        at=None,
        held=0,
        left=None,
        preview=engine.sentences if is_resize else (),
    )
    if isinstance(decision, Excluded):
        return replace(plain, refusal=decision.reason, exit_code=NotCovered.exit_code)
    if is_resize and engine.strange:
        words = f"Pulumi's plan would touch {', '.join(engine.strange)} too, which this change does not name"
        mend = "bring these in line first, or make them (docs/growing.md), then plan again"
        return replace(plain, refusal=f"{words}; {mend}", exit_code=InvalidInput.exit_code)
    is_first = store.never_deployed(connection, contract.customer, step.servers)
    try:
        at = timing(contract, step.activity, now=now, is_first=is_first).at
    except NotCovered as refusal:
        return replace(plain, refusal=_one_line(refusal), exit_code=refusal.exit_code)
    return replace(plain, at=at)


def _costed(
    connection: Connection, contract: Contract, orders: list[Proposed], waiting: Sequence[Run], now: datetime
) -> tuple[Proposed, ...]:
    """The orders with their hours, each after those before it."""
    covered = [order for order in orders if not order.refusal]
    moments = [now, *(order.at for order in covered if order.at)]
    balances = [reading.balance(connection, contract, at) for at in moments]
    freed = sum(run.held or 0 for run in waiting)
    priced = [(contract.terms(order.activity), order.at or now) for order in covered]
    found = iter(estimate.estimates(contract, balances, freed, priced))
    return tuple(order if order.refusal else _with_hours(contract, order, next(found)) for order in orders)


def _with_hours(contract: Contract, order: Proposed, found: estimate.Estimate) -> Proposed:
    order = replace(order, held=found.seconds, left=found.left)
    if not found.missing:
        return order
    lot = hours.show(found.missing)
    words = (
        f"the hours of {contract.number} do not suffice: {hours.show(found.seconds)} are needed, {lot} "
        "of them are missing; buy them in advance: "
        f"amc hours buy --customer {contract.customer} --hours {lot} --note TEXT"
    )
    return replace(order, refusal=words, exit_code=HoursInsufficient.exit_code)


def _refuse_unversioned(
    look: Look, base: Contract | None, head: Contract, differences: Sequence[str]
) -> None:
    """What is agreed upon has its number: postings name the version that set their rule."""
    if base and differences and base.number == head.number and head.version <= base.version:
        file = look.settings.inventories / head.customer / PLACE
        words = f"the contract changes ({'; '.join(differences)}), and its version is still {head.version}"
        raise InvalidInput([Problem(file, 0, words, f"write `version: {base.version + 1}`")])


def _of_the_contract(differences: Sequence[str]) -> tuple[str, ...]:
    if not differences:
        return ()
    words = "the contract: no run follows; the schedule, prices and refusals go by it once it is merged, and "
    return (f"{words}what a role reads of it (backup, hardening) counts from its activity's next run on",)


def _gone(look: Look, base: Intent, differences: tuple[Difference, ...]) -> Proposal:
    words = (
        "the customer's folder is gone: nothing more is maintained or ordered; its ledger and evidence stay"
    )
    notes = (*meaning(differences).notes, words)
    facts = {"customer": base.customer, "trees": look.trees}
    return Proposal(base.customer, None, differences, (), (), notes, (), None, facts)


def _facts(
    look: Look,
    head: Intent,
    orders: Sequence[Proposed],
    engine: _Engine,
    *,
    waiting: Sequence[Run],
    runs: Sequence[Run],
) -> dict[str, Any]:
    """What the digest is made of; `state` apart, so that words can say what has moved."""
    servers = {name for order in orders for name in order.servers}
    last = {
        name: next((f"{run.id} {run.state}" for run in runs if _has_left_its_mark(run, name)), "")
        for name in sorted(servers)
    }
    return {
        "customer": head.customer,
        "trees": look.trees,
        "orders": [[order.activity, list(order.servers)] for order in orders],
        "engine": list(engine.servers),
        "state": {
            "engine": engine.state,
            "runs": last,
            "waiting": sorted(run.id for run in waiting),
        },
    }


def _has_left_its_mark(run: Run, server: str) -> bool:
    ran = run.started_at is not None and not run.check_mode
    return ran and run.activity in STATEFUL and server in run.servers


def _one_line(error: AmcError) -> str:
    return f"{error.message}; {error.mend}" if error.mend else error.message
