"""The ledger's arithmetic: what a year grants, what work costs, which lots pay. Pure; seconds are integers.

An operation is a list of entries that add up to zero, in every calendar year by itself:

    grant   granted -n    available +n        hold    available -n  held +n   (uncapped -n when comprehensive)
    buy     bought  -n    available +n        void    the hold's entries turned round
    settle  the hold turned round, then  available -n  used +n,  and what no lot pays  overage -n  used +n
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from orchestrator.contracts.activities import ActivityTerms, Charge
from orchestrator.contracts.model import Contract, Hours, Mode


class Account(StrEnum):
    """Where seconds stand. The first four balance the others: they only ever fall."""

    GRANTED = "granted"
    BOUGHT = "bought"
    OVERAGE = "overage"
    UNCAPPED = "uncapped"
    AVAILABLE = "available"
    HELD = "held"
    USED = "used"


class LotKind(StrEnum):
    """Retainer: a calendar year's hours. Prepaid: bought in advance, they do not expire."""

    RETAINER = "retainer"
    PREPAID = "prepaid"


@dataclass(frozen=True)
class Lot:
    """Hours granted or bought together. `valid_until` is exclusive, None where they do not expire."""

    id: int
    kind: LotKind
    year: int | None
    valid_from: datetime
    valid_until: datetime | None
    acquired_at: datetime
    available: int

    def valid_at(self, at: datetime) -> bool:
        """Whether work at `at` may be paid from this lot."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


class Entry(NamedTuple):
    """Seconds that move: into an account when positive. `lot_id` is None where no lot is touched."""

    account: Account
    lot_id: int | None
    year: int
    seconds: int


class Part(NamedTuple):
    """Seconds that one lot gives; no lot: a comprehensive contract's hold."""

    lot_id: int | None
    seconds: int


class Entitlement(NamedTuple):
    """What a calendar year grants, and from when until when (exclusive, UTC) it may be used."""

    seconds: int
    valid_from: datetime
    valid_until: datetime


class Effort(NamedTuple):
    """Seconds as measured, rounded up to the increment, and charged."""

    raw: int
    rounded: int
    charged: int


def is_capped(contract: Contract) -> bool:
    """Whether work needs hours: a retainer does, a comprehensive contract only logs."""
    return contract.mode is Mode.RETAINER


def entitlement(contract: Contract, year: int) -> Entitlement | None:
    """Prorate the year's hours by the term's days in it, up to the next whole minute; None without any."""
    per_year = contract.hours.per_calendar_year
    first, last = date(year, 1, 1), date(year, 12, 31)
    start = max(first, contract.term.start)
    end = min(last, contract.term.end or last)
    if not is_capped(contract) or not per_year or end < start:
        return None
    share = per_year * 60 * ((end - start).days + 1)
    minutes = -(-share // ((last - first).days + 1))
    return Entitlement(minutes * 60, _midnight(contract, start), _midnight(contract, end + timedelta(days=1)))


def effort(hours: Hours, terms: ActivityTerms, raw: int) -> Effort:
    """What work of `raw` seconds costs: fixed minutes as they are, the clock rounded up.

    The clock charges at least the minimum, and nothing for work of no duration. Exact multiples of the
    increment stay as they are.
    """
    if raw < 0:
        raise ValueError(f"work cannot last {raw} seconds")
    increment = hours.increment_minutes * 60
    rounded = -(-raw // increment) * increment
    if terms.charge is Charge.NONE:
        return Effort(raw, rounded, 0)
    if terms.charge is Charge.FIXED:
        return Effort(raw, rounded, (terms.minutes or 0) * 60)
    return Effort(raw, rounded, max(rounded, hours.minimum_minutes * 60) if raw else 0)


def in_order(lots: Iterable[Lot], at: datetime) -> list[Lot]:
    """Lots that may pay for work at `at`: earliest expiry, retainer before prepaid, oldest purchase."""
    return sorted((lot for lot in lots if lot.valid_at(at)), key=consumption)


def consumption(lot: Lot) -> tuple[datetime, bool, datetime, int]:
    """The sort key of the order in which lots pay."""
    never = datetime.max.replace(tzinfo=UTC)
    return (lot.valid_until or never, lot.kind is LotKind.PREPAID, lot.acquired_at, lot.id)


def take(lots: Sequence[Lot], seconds: int) -> tuple[list[Part], int]:
    """Take `seconds` from lots in the order given; the parts, and what is missing."""
    parts = []
    for lot in lots:
        part = min(lot.available, seconds)
        if part > 0:
            parts.append(Part(lot.id, part))
            seconds -= part
    return parts, seconds


def granted(lot_id: int, year: int, seconds: int) -> list[Entry]:
    """A calendar year's hours come in."""
    return [
        Entry(Account.GRANTED, lot_id, year, -seconds),
        Entry(Account.AVAILABLE, lot_id, year, seconds),
    ]


def bought(lot_id: int, year: int, seconds: int) -> list[Entry]:
    """Prepaid hours come in, counted in the year of purchase."""
    return [Entry(Account.BOUGHT, lot_id, year, -seconds), Entry(Account.AVAILABLE, lot_id, year, seconds)]


def held(parts: Iterable[Part], year: int) -> list[Entry]:
    """Seconds are set aside for work planned in `year`."""
    entries = []
    for lot_id, seconds in parts:
        entries += [
            Entry(_source(lot_id), lot_id, year, -seconds),
            Entry(Account.HELD, lot_id, year, seconds),
        ]
    return entries


def turned_round(entries: Iterable[Entry]) -> list[Entry]:
    """A hold's entries the other way: everything back to where it came from."""
    return [entry._replace(seconds=-entry.seconds) for entry in entries]


def settled(
    contract: Contract,
    lots: Iterable[Lot],
    hold: Sequence[Entry],
    planned_at: datetime,
    charged: Mapping[int, int],
) -> list[Entry]:
    """Turn the hold round, then charge each calendar year's seconds: first what was held, then other lots.

    What no lot can pay becomes overage, or stays uncapped under a comprehensive contract. `lots` are all of
    the contract's as they stand; `charged` is seconds by calendar year (see `split_charge`).
    """
    entries = turned_round(hold)
    standing = moved({lot.id: lot for lot in lots}, entries)
    for year, seconds in sorted(charged.items()):
        at = _moment_in(contract, year, planned_at)
        if is_capped(contract):
            parts, missing = take(_held_first(standing, hold, at), seconds)
            paid = _used(parts, year) + _unpaid(Account.OVERAGE, missing, year)
        else:
            paid = _unpaid(Account.UNCAPPED, seconds, year)
        standing = moved(standing, paid)
        entries += paid
    return summed(entries)


def split_charge(charged: int, raw_by_year: Mapping[int, int]) -> dict[int, int]:
    """Share a charge out among the calendar years worked in: each its own seconds, the last the rest."""
    shares = {}
    years = sorted(raw_by_year)
    for year in years[:-1]:
        shares[year] = min(raw_by_year[year], charged)
        charged -= shares[year]
    shares[years[-1]] = charged
    return shares


def raw_by_year(contract: Contract, spans: Iterable[tuple[datetime, datetime]]) -> dict[int, int]:
    """Whole seconds worked in each calendar year of the contract's zone; spans (start, end) don't overlap.

    Fractions are dropped once, from the sum.
    """
    worked: dict[int, timedelta] = {}
    for start, end in spans:
        moment = start
        while moment < end:
            year = contract.year_of(moment)
            until = min(end, year_start(contract, year + 1))
            worked[year] = worked.get(year, timedelta()) + (until - moment)
            moment = until
    seconds, before = {}, timedelta()
    for year, span in sorted(worked.items()):
        seconds[year] = (before + span) // timedelta(seconds=1) - before // timedelta(seconds=1)
        before += span
    return seconds


def moved(lots: Mapping[int, Lot], entries: Iterable[Entry]) -> dict[int, Lot]:
    """The lots after these entries."""
    after = dict(lots)
    for lot_id, seconds in available_changes(entries).items():
        after[lot_id] = replace(after[lot_id], available=after[lot_id].available + seconds)
    return after


def available_changes(entries: Iterable[Entry]) -> dict[int, int]:
    """By how many seconds each lot's available hours change."""
    changes: Counter[int] = Counter()
    for entry in entries:
        if entry.account is Account.AVAILABLE and entry.lot_id is not None:
            changes[entry.lot_id] += entry.seconds
    return {lot_id: seconds for lot_id, seconds in changes.items() if seconds}


def summed(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each account, lot and year; what comes to nothing is left out."""
    sums: Counter[tuple[Account, int | None, int]] = Counter()
    for account, lot_id, year, seconds in entries:
        sums[account, lot_id, year] += seconds
    return [Entry(*place, seconds) for place, seconds in sums.items() if seconds]


def year_start(contract: Contract, year: int) -> datetime:
    """The first moment of a calendar year on the contract's clock, in UTC."""
    return _midnight(contract, date(year, 1, 1))


def _used(parts: Iterable[Part], year: int) -> list[Entry]:
    entries = []
    for lot_id, seconds in parts:
        entries.append(Entry(Account.AVAILABLE, lot_id, year, -seconds))
        entries.append(Entry(Account.USED, lot_id, year, seconds))
    return entries


def _unpaid(account: Account, seconds: int, year: int) -> list[Entry]:
    return [Entry(account, None, year, -seconds), Entry(Account.USED, None, year, seconds)]


def _held_first(lots: Mapping[int, Lot], hold: Iterable[Entry], at: datetime) -> list[Lot]:
    """What the hold had set aside and is valid at `at`, then everything else in order."""
    own = [
        replace(lots[lot_id], available=min(seconds, lots[lot_id].available))
        for account, lot_id, _, seconds in hold
        if account is Account.HELD and lot_id is not None and lots[lot_id].valid_at(at)
    ]
    kept = {lot.id: lot.available for lot in own}
    rest = (replace(lot, available=lot.available - kept.get(lot.id, 0)) for lot in lots.values())
    return own + in_order(rest, at)


def _moment_in(contract: Contract, year: int, planned_at: datetime) -> datetime:
    """The moment of the year whose lots may pay: the planned one, or the year's edge that lies next to it."""
    hold_year = contract.year_of(planned_at)
    if year == hold_year:
        return planned_at
    if year > hold_year:
        return year_start(contract, year)
    return year_start(contract, year + 1) - timedelta(microseconds=1)


def _source(lot_id: int | None) -> Account:
    return Account.UNCAPPED if lot_id is None else Account.AVAILABLE


def _midnight(contract: Contract, day: date) -> datetime:
    return datetime.combine(day, time(), contract.zone).astimezone(UTC)
