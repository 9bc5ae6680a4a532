"""What the ledger's entries say about a moment (`balance`) and about a calendar year (`year_account`). Pure.

A year's hours that nothing has posted yet are shown as if they were: reading never writes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.contracts.model import Contract
from orchestrator.ledger import rules
from orchestrator.ledger.rules import Account, Entry, Lot, LotKind

UNPOSTED = 0  # the number of the lot that is shown before it is posted


@dataclass(frozen=True)
class LotBalance:
    """One lot in seconds: size = available + held + used (+ expired, once its end is past)."""

    kind: LotKind
    year: int | None
    valid_from: datetime
    valid_until: datetime | None
    size: int
    available: int
    held: int
    used: int


@dataclass(frozen=True)
class Balance:
    """Seconds at a moment. `available` is None where the contract has no cap.

    `used` and `overage` are the current calendar year's: paid from lots (or logged without a cap), and what
    was charged beyond them. `entitled` is what the contract's file grants for this year, `granted` what the
    ledger has.
    """

    at: datetime
    year: int
    lots: tuple[LotBalance, ...]
    available: int | None
    held: int
    used: int
    overage: int
    entitled: int
    granted: int


@dataclass(frozen=True)
class YearAccount:
    """A calendar year in seconds: closing = opening + granted + bought - used - held - expired.

    `used` is what lots paid for work of this year, `overage` what was charged beyond them, `uncapped` the
    effort under a comprehensive contract, `held` what is still set aside for this year.
    """

    year: int
    opening: int
    granted: int
    bought: int
    used: int
    held: int
    expired: int
    closing: int
    overage: int
    uncapped: int


@dataclass(frozen=True)
class Standing:
    """A contract's lots and the sums of its entries."""

    lots: Sequence[Lot]
    sums: Sequence[Entry]

    def total(self, account: Account, when: Callable[[Entry], bool] = lambda _: True) -> int:
        """Seconds of an account, of the entries that `when` picks."""
        return sum(entry.seconds for entry in self.sums if entry.account is account and when(entry))


def with_entitlement(standing: Standing, contract: Contract, year: int) -> Standing:
    """The standing as it will be once the year's hours are posted."""
    due = rules.entitlement(contract, year)
    if due is None or any(lot.year == year for lot in standing.lots):
        return standing
    lot = Lot(UNPOSTED, LotKind.RETAINER, year, due.valid_from, due.valid_until, due.valid_from, due.seconds)
    return Standing([*standing.lots, lot], [*standing.sums, *rules.granted(UNPOSTED, year, due.seconds)])


def balance_of(standing: Standing, contract: Contract, now: datetime) -> Balance:
    """The balance at `now`: lots that are valid or will be, and expired ones in which something is held."""
    year = contract.year_of(now)
    standing = with_entitlement(standing, contract, year)
    shown = [
        _lot_balance(standing, lot)
        for lot in sorted(standing.lots, key=rules.consumption)
        if lot.valid_until is None or lot.valid_until > now or _of_lot(standing, Account.HELD, lot.id)
    ]
    free = sum(lot.available for lot in standing.lots if lot.valid_at(now))
    overage = -standing.total(Account.OVERAGE, lambda entry: entry.year == year)
    due = rules.entitlement(contract, year)
    return Balance(
        at=now,
        year=year,
        lots=tuple(shown),
        available=free if rules.is_capped(contract) else None,
        held=standing.total(Account.HELD),
        used=standing.total(Account.USED, lambda entry: entry.year == year) - overage,
        overage=overage,
        entitled=due.seconds if due else 0,
        granted=-standing.total(Account.GRANTED, lambda entry: entry.year == year),
    )


def year_account_of(standing: Standing, contract: Contract, year: int, now: datetime) -> YearAccount:
    """The account of a calendar year as it stands at `now`; hours expire when their end is past."""
    standing = with_entitlement(standing, contract, year)
    start, end = rules.year_start(contract, year), rules.year_start(contract, year + 1)
    kept = {lot.id for lot in standing.lots if lot.valid_until is None or lot.valid_until > start}
    gone = {lot.id for lot in standing.lots if lot.valid_until and start < lot.valid_until <= min(now, end)}

    def in_year(entry: Entry) -> bool:
        return entry.year == year

    def paid(entry: Entry) -> bool:
        return in_year(entry) and entry.lot_id is not None

    opening = standing.total(Account.AVAILABLE, lambda entry: entry.year < year and entry.lot_id in kept)
    granted = -standing.total(Account.GRANTED, in_year)
    bought = -standing.total(Account.BOUGHT, in_year)
    used = standing.total(Account.USED, paid)
    held = standing.total(Account.HELD, paid)
    expired = standing.total(Account.AVAILABLE, lambda entry: in_year(entry) and entry.lot_id in gone)
    overage = -standing.total(Account.OVERAGE, in_year)
    return YearAccount(
        year=year,
        opening=opening,
        granted=granted,
        bought=bought,
        used=used,
        held=held,
        expired=expired,
        closing=opening + granted + bought - used - held - expired,
        overage=overage,
        uncapped=standing.total(Account.USED, in_year) - used - overage,
    )


def _lot_balance(standing: Standing, lot: Lot) -> LotBalance:
    return LotBalance(
        kind=lot.kind,
        year=lot.year,
        valid_from=lot.valid_from,
        valid_until=lot.valid_until,
        size=-_of_lot(standing, Account.GRANTED, lot.id) - _of_lot(standing, Account.BOUGHT, lot.id),
        available=lot.available,
        held=_of_lot(standing, Account.HELD, lot.id),
        used=_of_lot(standing, Account.USED, lot.id),
    )


def _of_lot(standing: Standing, account: Account, lot_id: int) -> int:
    return standing.total(account, lambda entry: entry.lot_id == lot_id)
