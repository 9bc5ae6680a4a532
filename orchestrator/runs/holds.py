"""A run's hold in the ledger: set aside for its planned time, moved with it, given back.

Each function works inside the caller's transaction. A hold that moves is voided, and taken anew under the
next key: `run:<id>`, then `run:<id>/2`, `run:<id>/3`.
"""

from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from orchestrator.contracts.activities import ActivityTerms
from orchestrator.contracts.model import Contract
from orchestrator.ledger import store as ledger
from orchestrator.ledger.tables import postings
from orchestrator.runs import store
from orchestrator.runs.store import Run


def take(connection: Connection, contract: Contract, terms: ActivityTerms, run: Run) -> int:
    """Seconds held for a new run, at its planned time; a check run is free, so it holds and posts nothing.

    HoursInsufficient as in ledger.hold.
    """
    if run.check_mode:
        return 0
    at, now = run.planned_at or run.ordered_at, run.ordered_at
    return _hold(connection, contract, terms, store.ledger_key(run.id), at=at, now=now)


def move(connection: Connection, run: Run, to: datetime, now: datetime) -> int:
    """Seconds held, by now for another time. HoursInsufficient: they do not suffice then."""
    if run.check_mode:
        return 0
    contract, before = run.agreed(), _holds(connection, run)
    ledger.void(connection, key(connection, run), f"moved to {to.isoformat()}", now)
    following = f"{store.ledger_key(run.id)}/{before + 1}"
    return _hold(connection, contract, contract.terms(run.activity), following, at=to, now=now)


def give_back(connection: Connection, run: Run, why: str, now: datetime) -> None:
    """Void the hold of a run that did not take place."""
    if not run.check_mode:
        ledger.void(connection, key(connection, run), why, now)


def key(connection: Connection, run: Run) -> str:
    """The ledger's key of the hold as it stands."""
    first, count = store.ledger_key(run.id), _holds(connection, run)
    return first if count < 2 else f"{first}/{count}"


def _holds(connection: Connection, run: Run) -> int:
    first = f"hold:{store.ledger_key(run.id)}"
    mine = or_(postings.c.key == first, postings.c.key.startswith(f"{first}/", autoescape=True))
    found: int = connection.execute(select(func.count()).where(mine)).scalar_one()
    return found


def _hold(
    connection: Connection,
    contract: Contract,
    terms: ActivityTerms,
    key: str,
    *,
    at: datetime,
    now: datetime,
) -> int:
    seconds = (terms.minutes or 0) * 60
    return ledger.hold(connection, contract, terms, key, seconds=seconds, planned_at=at, now=now).held
