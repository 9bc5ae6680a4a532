"""What changes the ledger. Each function works inside the caller's transaction and never commits.

    ensure_year     a calendar year's hours, once
    buy             prepaid hours
    hold            set hours aside before the work; refused here, never at the settlement
    settle or void  close a hold, one of them and once

The contract's lock comes first, so what a function decides on stays true until the caller commits. A key that
comes again with the same request gives the same answer and changes nothing. On SQLite begin the transaction
with `engine.begin()` of database/engine.py; on PostgreSQL READ COMMITTED and SERIALIZABLE are both right.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from orchestrator.contracts.activities import ActivityTerms, WhenUsedUp
from orchestrator.contracts.model import Contract
from orchestrator.errors import HoursInsufficient, UsageError
from orchestrator.ledger import hours, rules
from orchestrator.ledger.postings import (
    Kind,
    Posting,
    append,
    entries_of,
    find,
    fingerprint,
    lock,
    lots_of,
    replayed,
)
from orchestrator.ledger.rules import Account, Lot, LotKind, Part
from orchestrator.ledger.tables import lots, postings


@dataclass(frozen=True)
class Hold:
    """Seconds set aside for a planned time; `missing` are those that the work would cost beyond them."""

    key: str
    planned_at: datetime
    held: int
    missing: int


@dataclass(frozen=True)
class Settlement:
    """What work cost, in seconds; `overage` is the part of `charged` that no lot paid."""

    key: str
    held: int
    raw: int
    rounded: int
    charged: int
    overage: int


def ensure_year(connection: Connection, contract: Contract, year: int, now: datetime) -> None:
    """Post the calendar year's hours, once; nothing for a comprehensive contract or outside the term."""
    lock(connection, contract.number)
    _grant(connection, contract, year, now)


def buy(
    connection: Connection, contract: Contract, seconds: int, *, key: str, note: str, at: datetime
) -> Posting:
    """Post prepaid hours, valid from `at` on. UsageError for a comprehensive contract."""
    if not rules.is_capped(contract):
        raise UsageError(
            f"{contract.number} is comprehensive: its work has no cap, so there are no hours to buy",
            "change the contract's mode if hours are to be prepaid",
        )
    if not 0 < seconds <= hours.MOST_HOURS * 3600:
        raise UsageError(
            f"{seconds} seconds can't be bought", f"buy more than 0:00, up to {hours.MOST_HOURS}:00"
        )
    whole_key = f"buy:{contract.number}:{key}"
    request = fingerprint("buy", contract.number, seconds, note)
    lock(connection, contract.number)
    known = replayed(connection, whole_key, request)
    if known:
        return known
    lot = _new_lot(connection, contract, LotKind.PREPAID, year=None, valid=(at, None), now=at)
    posting = Posting(Kind.BUY, whole_key, request, contract.version, at, seconds, note)
    moves = rules.bought(lot.id, contract.year_of(at), seconds)
    return append(connection, contract.number, posting, moves, {lot.id: lot})


def hold(
    connection: Connection,
    contract: Contract,
    terms: ActivityTerms,
    key: str,
    *,
    seconds: int,
    planned_at: datetime,
    now: datetime,
) -> Hold:
    """Set aside what work of `seconds` would cost, from lots valid at `planned_at`.

    HoursInsufficient when they do not suffice and the terms refuse; where the terms continue, what
    there is is held. Work that costs nothing holds nothing, and is on record.
    """
    whole_key = f"hold:{key}"
    request = fingerprint("hold", contract.number, *_priced(terms), seconds, planned_at.astimezone(UTC))
    lock(connection, contract.number)
    known = replayed(connection, whole_key, request)
    if known:
        return _hold(key, known)
    wanted = rules.effort(contract.hours, terms, seconds).charged
    year = contract.year_of(planned_at)
    _grant(connection, contract, year, now)
    among = lots_of(connection, contract.number)
    if rules.is_capped(contract):
        parts, missing = rules.take(rules.in_order(among.values(), planned_at), wanted)
        if missing and terms.when_used_up is WhenUsedUp.REFUSE:
            raise _insufficient(contract, wanted, missing, planned_at)
    else:
        parts, missing = [Part(None, wanted)] if wanted else [], 0
    posting = Posting(
        Kind.HOLD,
        whole_key,
        request,
        contract.version,
        now,
        wanted - missing,
        planned_at=planned_at,
        raw=seconds,
        rounded=wanted,
    )
    moves = rules.held(parts, year)
    return _hold(key, append(connection, contract.number, posting, moves, among))


def settle(
    connection: Connection,
    contract: Contract,
    key: str,
    raw_seconds: int,
    terms: ActivityTerms,
    *,
    now: datetime,
    by_year: Mapping[int, int] | None = None,
) -> Settlement:
    """Close the hold with what the work cost; never refused for want of hours, what is missing is overage.

    `by_year` shares the raw seconds out where the work crossed a year's end (rules.raw_by_year); without it
    they all count in the year of the hold. UsageError when there is no such hold, or it was voided.
    """
    lock(connection, contract.number)
    opened = _opened(connection, contract.number, key)
    year = contract.year_of(_planned(opened))
    worked = dict(by_year) if by_year else {year: raw_seconds}
    if sum(worked.values()) != raw_seconds:
        raise ValueError(f"{worked} does not add up to {raw_seconds} seconds")
    request = fingerprint("settle", contract.number, *_priced(terms), sorted(worked.items()))
    known = replayed(connection, f"close:{key}", request)
    if known:
        return _settlement(connection, key, opened, known)
    effort = rules.effort(contract.hours, terms, raw_seconds)
    charged = rules.split_charge(effort.charged, worked)
    for worked_year in charged:
        _grant(connection, contract, worked_year, now)
    among = lots_of(connection, contract.number)
    moves = rules.settled(contract, among.values(), entries_of(connection, opened), _planned(opened), charged)
    posting = Posting(
        Kind.SETTLE,
        f"close:{key}",
        request,
        contract.version,
        now,
        effort.charged,
        hold_id=opened.id,
        raw=effort.raw,
        rounded=effort.rounded,
    )
    posting = append(connection, contract.number, posting, moves, among)
    return _settlement(connection, key, opened, posting)


def void(connection: Connection, key: str, reason: str, now: datetime) -> Posting:
    """Close the hold of work that did not take place: all its seconds go back.

    UsageError when there is no such hold, or it was settled. A hold that was voided stays so, whatever the
    second reason.
    """
    contract = _contract_of(connection, key)
    lock(connection, contract)
    opened = _opened(connection, contract, key)
    request = fingerprint("void", key)
    known = replayed(connection, f"close:{key}", request)
    if known:
        return known
    moves = rules.turned_round(entries_of(connection, opened))
    posting = Posting(
        Kind.VOID,
        f"close:{key}",
        request,
        opened.contract_version,
        now,
        opened.seconds,
        reason,
        hold_id=opened.id,
    )
    return append(connection, contract, posting, moves, lots_of(connection, contract))


def _grant(connection: Connection, contract: Contract, year: int, now: datetime) -> None:
    due = rules.entitlement(contract, year)
    if due is None or any(lot.year == year for lot in lots_of(connection, contract.number).values()):
        return
    valid = (due.valid_from, due.valid_until)
    lot = _new_lot(connection, contract, LotKind.RETAINER, year=year, valid=valid, now=now)
    key = f"grant:{contract.number}:{year}"
    posting = Posting(
        Kind.GRANT,
        key,
        fingerprint("grant", contract.number, year, due.seconds),
        contract.version,
        now,
        due.seconds,
        f"hours of {year}",
    )
    append(connection, contract.number, posting, rules.granted(lot.id, year, due.seconds), {lot.id: lot})


def _new_lot(
    connection: Connection,
    contract: Contract,
    kind: LotKind,
    *,
    year: int | None,
    valid: tuple[datetime, datetime | None],
    now: datetime,
) -> Lot:
    """An empty lot: its hours come with the posting that grants or sells them."""
    lot = Lot(0, kind, year, valid[0], valid[1], now, 0)
    columns = asdict(lot) | {"contract": contract.number}
    del columns["id"]
    number = connection.execute(insert(lots).values(columns).returning(lots.c.id)).scalar_one()
    return replace(lot, id=number)


def _priced(terms: ActivityTerms) -> tuple[object, ...]:
    return (terms.charge, terms.minutes, terms.when_used_up)


def _contract_of(connection: Connection, key: str) -> str:
    query = select(postings.c.contract).where(postings.c.key == f"hold:{key}")
    number: str | None = connection.execute(query).scalar()
    if number is None:
        raise _no_hold(key)
    return number


def _opened(connection: Connection, contract: str, key: str) -> Posting:
    opened = find(connection, f"hold:{key}")
    if opened is None or _contract_of(connection, key) != contract:
        raise _no_hold(key)
    return opened


def _no_hold(key: str) -> UsageError:
    return UsageError(f"there is no hold {key} in this contract", "amc hours log shows those there are")


def _planned(opened: Posting) -> datetime:
    if opened.planned_at is None:
        raise ValueError(f"{opened.key} is no hold")
    return opened.planned_at


def _hold(key: str, opened: Posting) -> Hold:
    return Hold(key, _planned(opened), opened.seconds, (opened.rounded or 0) - opened.seconds)


def _settlement(connection: Connection, key: str, opened: Posting, closed: Posting) -> Settlement:
    return Settlement(
        key=key,
        held=opened.seconds,
        raw=closed.raw or 0,
        rounded=closed.rounded or 0,
        charged=closed.seconds,
        overage=-sum(
            seconds for account, _, _, seconds in entries_of(connection, closed) if account is Account.OVERAGE
        ),
    )


def _insufficient(contract: Contract, wanted: int, missing: int, planned_at: datetime) -> HoursInsufficient:
    day = planned_at.astimezone(contract.zone).date()
    return HoursInsufficient(
        f"the hours of {contract.number} do not suffice: {hours.show(wanted)} are needed on {day}, "
        f"{hours.show(wanted - missing)} are available",
        f"buy at least {hours.show(missing)} in advance: "
        f"amc hours buy --customer {contract.customer} --hours {hours.show(missing)} --note TEXT",
    )
