"""Placing an order: coverage, hold, row and queue in one transaction, or a refusal with its reason.

An order is never lost (it is queued when it is there) and never doubled (one run a key).
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from orchestrator.contracts.activities import ActivityTerms
from orchestrator.contracts.coverage import Excluded, decide
from orchestrator.contracts.model import Contract
from orchestrator.database.engine import reading
from orchestrator.errors import AmcError, HoursInsufficient, NotCovered, UsageError
from orchestrator.ledger import store as ledger
from orchestrator.runs import store
from orchestrator.runs.order import Order, run_id
from orchestrator.runs.states import State
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

SUFFIX_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is mistaken for another
Enqueue = Callable[[Connection, str, str], None]


def place(
    engine: Engine, settings: Settings, contract: Contract, order: Order, *, now: datetime, enqueue: Enqueue
) -> tuple[Run, bool]:
    """Order a run to be done at `now`: (the run, False when it had been ordered under its key before).

    NotCovered and HoursInsufficient leave a row in state refused, with the reason. UsageError: there is no
    such activity, or the key stands for another order.
    """
    decision = decide(contract, order.activity, now)
    run = _run(settings, contract, order, decision.clause_id, now)
    try:
        with engine.begin() as connection:
            if before := store.ordered_under(connection, order.key):
                return _same(before, order), False
            if isinstance(decision, Excluded):
                raise NotCovered(decision.reason)
            queued = replace(run, held=0 if order.check else _hold(connection, contract, decision.terms, run))
            store.add(connection, queued)
            enqueue(connection, run.id, order.customer)
            return queued, True
    except (NotCovered, HoursInsufficient) as refusal:
        _refuse(engine, run, refusal)
        raise
    except IntegrityError:  # another process has placed the same key in this moment
        with reading(engine) as connection:
            before = store.ordered_under(connection, order.key)
        if before is None:
            raise
        return _same(before, order), False


def _same(before: Run, order: Order) -> Run:
    if before.request != order.digest():
        raise UsageError(f"the key {order.key} stands for another order: {before.id}", "use another key")
    return before


def _hold(connection: Connection, contract: Contract, terms: ActivityTerms, run: Run) -> int:
    """Seconds held; a check run is free, so it holds and posts nothing."""
    at = run.ordered_at
    estimate = (terms.minutes or 0) * 60
    key = store.ledger_key(run.id)
    return ledger.hold(connection, contract, terms, key, seconds=estimate, planned_at=at, now=at).held


def _refuse(engine: Engine, run: Run, refusal: AmcError) -> None:
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
