"""What a change's orders hold, one after the other."""

from datetime import UTC, datetime
from typing import Any

from orchestrator.changes.estimate import Estimate, estimates
from orchestrator.contracts.model import Contract
from orchestrator.ledger.accounts import Standing, balance_of
from orchestrator.ledger.rules import Lot, LotKind

from .test_differences import contract

NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 1, 10, 12, tzinfo=UTC)
HOUR = 3600


def found(
    agreed: Contract, *orders: tuple[str, datetime], lots: list[Lot] | None = None, freed: int = 0
) -> list[Estimate]:
    standing = Standing(lots or [], [])
    balances = [balance_of(standing, agreed, at) for at in [NOW, *(at for _, at in orders)]]
    return estimates(agreed, balances, freed, [(agreed.terms(name), at) for name, at in orders])


def hours(number: int, **more: Any) -> Contract:
    return contract(hours={"per_calendar_year": number}, **more)


def test_each_is_paid_from_what_the_one_before_left() -> None:
    """deploy 2:00, harden 1:00 of 4 hours."""
    assert found(hours(4), ("deploy", NOW), ("harden", NOW)) == [
        Estimate(2 * HOUR, 0, 2 * HOUR),
        Estimate(HOUR, 0, HOUR),
    ]


def test_the_one_that_does_not_fit_takes_nothing() -> None:
    """2 hours: the second order is refused, a smaller one after it is not, being paid from what is left."""
    assert found(hours(2), ("harden", NOW), ("deploy", NOW), ("harden", NOW)) == [
        Estimate(HOUR, 0, HOUR),
        Estimate(2 * HOUR, HOUR, HOUR),
        Estimate(HOUR, 0, 0),
    ]


def test_work_of_the_coming_year_is_paid_by_its_hours() -> None:
    assert found(hours(2), ("deploy", NOW), ("deploy", NEXT_YEAR)) == [
        Estimate(2 * HOUR, 0, 0),
        Estimate(2 * HOUR, 0, 0),
    ]


def test_two_purchases_alike_are_two() -> None:
    bought = [Lot(number, LotKind.PREPAID, None, NOW, None, NOW, HOUR) for number in (1, 2)]
    assert found(hours(1), ("deploy", NOW), ("harden", NOW), lots=bought)[-1] == Estimate(HOUR, 0, 0)


def test_what_logs_only_costs_nothing_and_a_comprehensive_contract_has_no_cap() -> None:
    assert found(hours(1), ("backup", NOW)) == [Estimate(0, 0, HOUR)]
    uncapped = contract(mode="comprehensive", hours={})
    assert found(uncapped, ("deploy", NOW)) == [Estimate(2 * HOUR, 0, None)]


def test_hours_of_runs_that_are_taken_over_come_back_first() -> None:
    assert found(hours(1), ("deploy", NOW), freed=HOUR) == [Estimate(2 * HOUR, 0, 0)]
