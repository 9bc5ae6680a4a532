"""What the ledger says: balance, log, a year's account, and whether it is whole. Nothing here writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from orchestrator.contracts.model import Contract
from orchestrator.ledger.accounts import Balance, Standing, YearAccount, balance_of, year_account_of
from orchestrator.ledger.postings import GENESIS, Posting, digest, entry, lots_of, posting
from orchestrator.ledger.rules import Account, Entry, Lot
from orchestrator.ledger.tables import chains, entries, postings


@dataclass(frozen=True)
class Line:
    """A posting with the overage in it and its key as the caller gave it."""

    posting: Posting
    key: str
    overage: int


@dataclass(frozen=True)
class Verification:
    """How many postings there are, the last one's hash, and every fault in words."""

    postings: int
    head: str
    faults: tuple[str, ...]


def balance(connection: Connection, contract: Contract, now: datetime) -> Balance:
    """The contract's hours at `now`."""
    return balance_of(_standing(connection, contract), contract, now)


def year_account(connection: Connection, contract: Contract, year: int, now: datetime) -> YearAccount:
    """The contract's account of a calendar year, for its statement."""
    return year_account_of(_standing(connection, contract), contract, year, now)


def log(connection: Connection, contract: Contract) -> list[Line]:
    """Every posting, oldest first."""
    moves = _entries(connection, contract)
    return [
        Line(posted, _caller_key(contract, posted), _overage(moves.get(posted.id, [])))
        for posted in _postings(connection, contract)
    ]


def head(connection: Connection, contract: Contract) -> str:
    """The last posting's hash, which statements print; zeros before the first."""
    query = select(chains.c.head).where(chains.c.contract == contract.number)
    return connection.execute(query).scalar() or GENESIS


def verify(connection: Connection, contract: Contract, printed: str = "") -> Verification:
    """Compute the chain again and compare it with every row; `printed` is a head that a statement shows.

    Finds changed, missing and added postings, entries and lots. A ledger that was computed anew from the
    changed row on is found only by a head that was printed before.
    """
    faults = []
    moves, among = _entries(connection, contract), lots_of(connection, contract.number)
    known, previous = {GENESIS}, GENESIS
    chain = _postings(connection, contract)
    for number, posted in enumerate(chain, start=1):
        faults += _faults_of(contract, posted, moves.pop(posted.id, []), among, (number, previous))
        previous = posted.hash
        known.add(previous)
    count, last = connection.execute(
        select(chains.c.postings, chains.c.head).where(chains.c.contract == contract.number)
    ).one_or_none() or (0, GENESIS)
    if (count, last) != (len(chain), previous):
        faults.append(f"the chain should end with posting {count}, {last[:12]}: it ends with {len(chain)}")
    if printed and printed not in known:
        faults.append(f"the printed head {printed[:12]} is not in the chain: what it stood for was changed")
    faults += _lot_faults(among, _standing(connection, contract).sums)
    return Verification(len(chain), last, tuple(faults))


def _faults_of(
    contract: Contract, posted: Posting, moves: list[Entry], among: dict[int, Lot], place: tuple[int, str]
) -> list[str]:
    name = f"posting {posted.sequence} ({posted.key})"
    faults = []
    if (posted.sequence, posted.previous) != place:
        faults.append(f"{name} does not follow the posting before it")
    if sum(move.seconds for move in moves):
        faults.append(f"the entries of {name} do not add up to zero")
    touched = {move.lot_id for move in moves if move.lot_id is not None}
    if not touched <= among.keys() or digest(contract.number, posted, moves, among) != posted.hash:
        faults.append(f"{name} was changed after it was made")
    return faults


def _lot_faults(among: dict[int, Lot], sums: Sequence[Entry]) -> list[str]:
    faults = []
    for lot in among.values():
        due = sum(move.seconds for move in sums if move[:2] == (Account.AVAILABLE, lot.id))
        if due != lot.available:
            faults.append(f"lot {lot.id} has {lot.available} seconds available, its entries say {due}")
    return faults


def _standing(connection: Connection, contract: Contract) -> Standing:
    place = (entries.c.account, entries.c.lot_id, entries.c.year)
    query = (
        select(*place, func.sum(entries.c.seconds).label("seconds"))
        .join(postings)
        .where(postings.c.contract == contract.number)
        .group_by(*place)
    )
    sums = [
        Entry(Account(row.account), row.lot_id, row.year, int(row.seconds))
        for row in connection.execute(query)
    ]
    return Standing(list(lots_of(connection, contract.number).values()), sums)


def _postings(connection: Connection, contract: Contract) -> list[Posting]:
    query = select(postings).where(postings.c.contract == contract.number).order_by(postings.c.sequence)
    return [posting(row) for row in connection.execute(query).mappings()]


def _entries(connection: Connection, contract: Contract) -> dict[int, list[Entry]]:
    query = select(entries).join(postings).where(postings.c.contract == contract.number)
    found: dict[int, list[Entry]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["posting_id"], []).append(entry(row))
    return found


def _overage(moves: list[Entry]) -> int:
    return -sum(move.seconds for move in moves if move.account is Account.OVERAGE)


def _caller_key(contract: Contract, posted: Posting) -> str:
    scoped = posted.key.partition(":")[2]
    return scoped.removeprefix(f"{contract.number}:")
