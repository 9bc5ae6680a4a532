"""Placing an order: coverage, hold, row and queue in one transaction, or a refusal with its reason.

An order is never lost (it is queued when it is there) and never doubled (one run a key).
"""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from orchestrator.contracts.coverage import Covered, Excluded, decide
from orchestrator.contracts.model import Contract
from orchestrator.database.engine import reading
from orchestrator.errors import AmcError, HoursInsufficient, InvalidInput, NotCovered, Problem, UsageError
from orchestrator.fleet.read import HOSTS, NOT_A_CUSTOMER, provider_folder, read
from orchestrator.runs import holds, options, playbooks, store
from orchestrator.runs.order import Order, run_id
from orchestrator.runs.states import State
from orchestrator.runs.store import Run
from orchestrator.runs.timing import timing
from orchestrator.settings import Settings

PLANNED = frozenset({"resize"})  # what it would do is shown first, and somebody approves it
# What of the provider's servers an activity needs: the group, in inventories/provider.
NEEDS = {
    **dict.fromkeys(("backup", "drill", "recover", "resize"), "backup_server"),
    "monitor": "monitoring_server",
}
SUFFIX_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is mistaken for another
Enqueue = Callable[[Connection, str, str], None]
Take = Callable[[Connection, Run], Run]


def place(
    engine: Engine,
    settings: Settings,
    contract: Contract,
    order: Order,
    *,
    now: datetime,
    enqueue: Enqueue,
    plan: Path | None = None,
    planned_at: datetime | None = None,
    urgent: str | None = None,
    take: Take | None = None,
) -> tuple[Run, bool]:
    """Order a run: (the run, False when it had been ordered under its key before).

    It is queued, or waits with its hours held for its time: from `planned_at` on (None: from `now`), when
    the maintenance windows allow it; see runs/timing.py. `urgent`: why it must not wait for them. With a
    `plan`, the folder of what was planned, it waits for somebody's approval too; the folder becomes part of
    its evidence. `take`: whoever runs it himself (runs/hand.py) takes it here, and it is not queued.
    NotCovered and HoursInsufficient leave a row in state refused, with the reason. UsageError: there is no
    such activity, or the key stands for another order. What the run would need and does not find here (its
    playbook, a backup server) is refused before anything is held, and leaves nothing.
    """
    if order.activity in PLANNED and plan is None:
        raise UsageError(f"{order.activity} is planned before it is ordered", "amc run start does both")
    decision = decide(contract, order.activity, planned_at or now)
    if not isinstance(decision, Excluded):
        order = replace(order, options=options.checked(order.activity, order.options, now))
        _require(settings, order)
    run = _run(settings, contract, order, decision.clause_id, now)
    try:
        with engine.begin() as connection:
            if known := store.ordered_under(connection, order.key):
                return _same(known, order), False
            _require_what_was_set_aside(connection, order)
            placed = _planned(connection, contract, run, decision, wished=planned_at, urgent=urgent)
            if plan:
                placed = _awaiting_approval(placed)
                _keep(plan, store.evidence(settings, run.id).plan)
            elif take:
                placed = take(connection, placed)
            elif placed.state is State.QUEUED:
                enqueue(connection, run.id, order.customer)
            store.add(connection, placed)
            return placed, True
    except (NotCovered, HoursInsufficient) as refusal:
        refuse(engine, run, refusal)
        raise
    except IntegrityError:  # another process has placed the same key in this moment
        known = before(engine, order)
        if known is None:
            raise
        return known, False


def _awaiting_approval(run: Run) -> Run:
    """It waits for a decision; and then for a window again, unless it is urgent."""
    not_before = run.planned_at or (None if run.urgent else run.ordered_at)
    return replace(run, state=State.WAITING, needs_approval=True, planned_at=not_before)


def _planned(
    connection: Connection,
    contract: Contract,
    run: Run,
    decision: Covered | Excluded,
    *,
    wished: datetime | None,
    urgent: str | None,
) -> Run:
    """The run with its time and its hours held; NotCovered, HoursInsufficient."""
    if isinstance(decision, Excluded):
        raise NotCovered(decision.reason)
    found = timing(
        contract,
        run.activity,
        now=run.ordered_at,
        wished=wished,
        urgent=urgent,
        check=run.check_mode,
        is_first=store.never_deployed(connection, run.customer, run.servers),
    )
    state = State.WAITING if found.at else State.QUEUED
    words = "; ".join(reason.words for reason in found.reasons)
    run = replace(run, planned_at=found.at, urgent=found.urgent, state=state, words=words)
    return replace(run, held=holds.take(connection, contract, decision.terms, run))


def before(engine: Engine, order: Order) -> Run | None:
    """The run that was ordered under this order's key. UsageError when the key stands for another order."""
    with reading(engine) as connection:
        found = store.ordered_under(connection, order.key)
    return found and _same(found, order)


def _require(settings: Settings, order: Order) -> None:
    playbook = playbooks.path(settings.repository, order.activity)
    if not playbook.is_file():
        known = ", ".join(playbooks.known(settings.repository)) or "none"
        raise UsageError(f"{order.activity} has no playbook: there is no {playbook}", f"there are: {known}")
    if group := NEEDS.get(order.activity):
        _require_provider(settings, order.activity, group)


def _require_provider(settings: Settings, activity: str, group: str) -> None:
    hosts = settings.inventories / NOT_A_CUSTOMER / HOSTS
    if provider_folder(settings.inventories) is None:
        missing = "there is no such file"
    elif not any(group in server.groups for server in read(settings.inventories, NOT_A_CUSTOMER).servers):
        missing = "there is none"
    else:
        return
    words = f"{activity} needs a {group.replace('_', ' ')}, and {missing}"
    raise InvalidInput([Problem(hosts, 0, words, f"declare one in the group {group}")])


def _require_what_was_set_aside(connection: Connection, order: Order) -> None:
    if (name := order.options.get("put_back")) is None:
        return
    recovery = store.get(connection, name)
    if (recovery.activity, recovery.customer) != ("recover", order.customer):
        raise UsageError(
            f"{name} is no recovery of {order.customer}",
            f"amc run list --customer {order.customer} shows them",
        )
    if strange := [server for server in order.servers if server not in recovery.servers]:
        raise UsageError(
            f"{name} set nothing aside on {', '.join(strange)}", f"add --server {recovery.servers[0]}"
        )


def _same(known: Run, order: Order) -> Run:
    if known.request != order.digest():
        raise UsageError(f"the key {order.key} stands for another order: {known.id}", "use another key")
    return known


def _keep(plan: Path, evidence: Path) -> None:
    """Before the row is there: a run without its plan could not go on, a plan without a row harms nobody."""
    evidence.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.move(plan, evidence)


def refuse(engine: Engine, run: Run, refusal: AmcError) -> None:
    """Keep the row of an order that was refused."""
    refused = replace(
        run, state=State.REFUSED, words=str(refusal), exit_code=refusal.exit_code, ended_at=run.ordered_at
    )
    with engine.begin() as connection:
        store.add(connection, refused)


def _run(settings: Settings, contract: Contract, order: Order, clause: str, now: datetime) -> Run:
    suffix = "".join(secrets.choice(SUFFIX_LETTERS) for _ in range(4))
    return Run(
        id=run_id(order.customer, order.activity, now, suffix),
        key=order.key,
        request=order.digest(),
        customer=order.customer,
        activity=order.activity,
        servers=list(order.servers),
        options=dict(order.options),
        cause=order.cause,
        check_mode=order.check,
        clause=clause,
        contract=contract.model_dump(mode="json"),
        repository=str(settings.repository),
        inventory=str(settings.inventories / order.customer),
        state=State.QUEUED,
        words="",
        exit_code=None,
        ordered_at=now,
    )
