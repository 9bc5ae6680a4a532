"""Appends to the ledger: the contract's lock, the posting with its entries, the chain of hashes.

Every function works inside the caller's transaction and never commits.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, insert, select, text, update

from orchestrator.errors import AmcError, UsageError
from orchestrator.ledger.rules import Account, Entry, Lot, LotKind, available_changes
from orchestrator.ledger.tables import chains, entries, lots, postings

GENESIS = "0" * 64


class Kind(StrEnum):
    """What a posting records."""

    GRANT = "grant"
    BUY = "buy"
    HOLD = "hold"
    SETTLE = "settle"
    VOID = "void"


@dataclass(frozen=True)
class Posting:
    """One fact. `seconds` are those granted, bought, held, charged or given back.

    `key` makes it happen at most once, `request` is the hash of what was asked for with it. Of a settlement
    `raw` is what was measured and `rounded` that, rounded; of a hold `raw` is the estimate and `rounded` what
    the estimate would cost, which is more than `seconds` when the hours did not suffice.
    """

    kind: Kind
    key: str
    request: str
    contract_version: int
    at: datetime
    seconds: int
    note: str = ""
    planned_at: datetime | None = None
    hold_id: int | None = None
    raw: int | None = None
    rounded: int | None = None
    id: int = 0
    sequence: int = 0
    previous: str = GENESIS
    hash: str = ""


def fingerprint(*request: object) -> str:
    """The hash of a request: the same values give the same hash on every machine."""
    return hashlib.sha256(_canonical([str(part) for part in request])).hexdigest()


def lock(connection: Connection, contract: str) -> None:
    """Let this transaction alone append to the contract until it ends. A write, so do it first.

    SQLite then holds its write lock, PostgreSQL the row's: what is read afterwards stays true.
    """
    touch = update(chains).where(chains.c.contract == contract).values(postings=chains.c.postings)
    if connection.execute(touch).rowcount:
        return
    first = "INSERT INTO ledger_chains (contract, postings, head) VALUES (:contract, 0, :head)"
    connection.execute(text(f"{first} ON CONFLICT DO NOTHING"), {"contract": contract, "head": GENESIS})
    connection.execute(touch)


def find(connection: Connection, key: str) -> Posting | None:
    """The posting of a key."""
    row = connection.execute(select(postings).where(postings.c.key == key)).mappings().one_or_none()
    return None if row is None else posting(row)


def replayed(connection: Connection, key: str, request: str) -> Posting | None:
    """The posting that this key has already made, None when it is new; UsageError for another request."""
    known = find(connection, key)
    if known is not None and known.request != request:
        raise UsageError(
            f"the key {key} was already used, for another request: {known.kind} number {known.sequence}",
            "repeat the request as it was, or use another key",
        )
    return known


def append(
    connection: Connection, contract: str, new: Posting, moves: Sequence[Entry], among: Mapping[int, Lot]
) -> Posting:
    """Append a posting and its entries; the contract is locked, `among` knows every lot that is touched.

    The lots move first, each by one UPDATE that holds only while enough is available.
    """
    for lot_id, seconds in available_changes(moves).items():
        enough = (lots.c.id == lot_id) & (lots.c.available + seconds >= 0)
        change = update(lots).where(enough).values(available=lots.c.available + seconds)
        if connection.execute(change).rowcount != 1:
            raise AmcError(f"lot {lot_id} changed while {new.key} was being posted", "try again")
    count, head = connection.execute(
        select(chains.c.postings, chains.c.head).where(chains.c.contract == contract)
    ).one()
    new = replace(new, sequence=count + 1, previous=head)
    new = replace(new, hash=digest(contract, new, moves, among))
    columns = asdict(new) | {"contract": contract}
    del columns["id"]
    number = connection.execute(insert(postings).values(columns).returning(postings.c.id)).scalar_one()
    if moves:
        rows = [entry._asdict() | {"posting_id": number} for entry in moves]
        connection.execute(insert(entries), rows)
    connection.execute(
        update(chains).where(chains.c.contract == contract).values(postings=new.sequence, head=new.hash)
    )
    return replace(new, id=number)


def digest(contract: str, posting: Posting, moves: Iterable[Entry], among: Mapping[int, Lot]) -> str:
    """The hash of a posting, its entries and the lots they touch, chained to the posting before."""
    fields = asdict(posting)
    del fields["id"], fields["hash"]
    told = [
        [account, None if lot_id is None else _facts(among[lot_id]), year, seconds]
        for account, lot_id, year, seconds in moves
    ]
    told.sort(key=_canonical)
    return hashlib.sha256(_canonical([contract, fields, told])).hexdigest()


def entries_of(connection: Connection, posting: Posting) -> list[Entry]:
    """The entries of a posting that is in the ledger."""
    query = select(entries).where(entries.c.posting_id == posting.id).order_by(entries.c.id)
    return [entry(row) for row in connection.execute(query).mappings()]


def lots_of(connection: Connection, contract: str) -> dict[int, Lot]:
    """All lots of a contract by their number, as they stand."""
    query = select(lots).where(lots.c.contract == contract).order_by(lots.c.id)
    found = {}
    for row in connection.execute(query).mappings():
        values = {name: row[name] for name in row if name != "contract"}
        found[row["id"]] = Lot(**values | {"kind": LotKind(row["kind"])})
    return found


def posting(row: RowMapping) -> Posting:
    """A posting from its row."""
    values = {name: row[name] for name in row if name != "contract"}
    return Posting(**values | {"kind": Kind(row["kind"])})


def entry(row: RowMapping) -> Entry:
    """An entry from its row."""
    return Entry(Account(row["account"]), row["lot_id"], row["year"], row["seconds"])


def _facts(lot: Lot) -> dict[str, object]:
    """What never changes in a lot."""
    facts = asdict(lot)
    del facts["available"]
    return facts


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_moment).encode()


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{value!r} has no place in a hash")
