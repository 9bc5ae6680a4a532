"""What orders would hold, one after the other, and what is left after each. Pure; seconds are integers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.contracts.activities import ActivityTerms, WhenUsedUp
from orchestrator.contracts.model import Contract
from orchestrator.ledger import rules
from orchestrator.ledger.accounts import Balance
from orchestrator.ledger.rules import Lot, LotKind


@dataclass(frozen=True)
class Estimate:
    """`seconds` are held; `missing` of them no lot has and the terms refuse. `left`: None without a cap."""

    seconds: int
    missing: int
    left: int | None


def estimates(
    contract: Contract,
    balances: Sequence[Balance],
    freed: int,
    orders: Iterable[tuple[ActivityTerms, datetime]],
) -> list[Estimate]:
    """One for each order of (terms, when it is planned), each paid from what the one before has left.

    `balances` are the contract's at every moment that counts (now, and the planned times: a coming year has
    its own hours); `freed` are seconds that come back first, from runs that are taken over.
    """
    lots = _lots(balances)
    if freed:
        lots.insert(0, replace(_FREED, available=freed))
    found = []
    for terms, at in orders:
        wanted = rules.effort(contract.hours, terms, (terms.minutes or 0) * 60).charged
        if not rules.is_capped(contract):
            found.append(Estimate(wanted, 0, None))
            continue
        parts, missing = rules.take(rules.in_order(lots, at), wanted)
        refuses = missing > 0 and terms.when_used_up is WhenUsedUp.REFUSE
        if not refuses:
            taken = {part.lot_id: part.seconds for part in parts}
            lots = [replace(lot, available=lot.available - taken.get(lot.id, 0)) for lot in lots]
        left = sum(lot.available for lot in lots if lot.valid_at(at))
        found.append(Estimate(wanted, missing if refuses else 0, left))
    return found


def _lots(balances: Sequence[Balance]) -> list[Lot]:
    """Each lot once, as the first balance that knows it shows it."""
    found: dict[tuple[object, ...], Lot] = {}
    for balance in balances:
        among: dict[tuple[object, ...], int] = {}
        for lot in balance.lots:
            same = (lot.kind, lot.year, lot.valid_from, lot.valid_until, lot.size)
            among[same] = among.get(same, 0) + 1
            key = (*same, among[same])
            found.setdefault(
                key,
                Lot(
                    len(found) + 1,
                    lot.kind,
                    lot.year,
                    lot.valid_from,
                    lot.valid_until,
                    lot.valid_from,
                    lot.available,
                ),
            )
    return list(found.values())


_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
_FREED = Lot(0, LotKind.PREPAID, None, _LONG_AGO, None, _LONG_AGO, 0)
