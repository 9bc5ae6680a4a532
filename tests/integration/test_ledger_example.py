"""The worked example of docs/ledger.md is what the ledger really says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.cli.hours import _balance_lines, _log_line
from orchestrator.contracts.activities import Charge
from orchestrator.database.engine import connect
from orchestrator.ledger import reading as ledger
from orchestrator.ledger import store
from tests.unit.ledger.agreements import retainer, terms

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_worked_example_of_the_page(database_url: str) -> None:
    """Each line that the commands print after these steps stands in the page, word for word."""
    contract = retainer(60, number="AMC-2026-0001", start=datetime(2026, 1, 1, tzinfo=UTC).date())
    at = datetime(2026, 11, 24, 6, tzinfo=UTC)
    patch, human = terms(Charge.FIXED, 45), terms(Charge.CLOCK, 60)
    with connect(database_url).begin() as connection:

        def hold(key: str, on: store.ActivityTerms, now: datetime, days: int = 0) -> None:
            seconds, planned_at = (on.minutes or 0) * 60, now + timedelta(days=days)
            store.hold(connection, contract, on, key, seconds=seconds, planned_at=planned_at, now=now)

        hold("patch-1", patch, at)
        store.settle(connection, contract, "patch-1", 1100, patch, now=at + timedelta(minutes=19))
        store.buy(connection, contract, 9000, key="invoice-7", note="prepaid", at=at + timedelta(hours=1))
        hold("help-1", human, at + timedelta(hours=2))
        store.settle(connection, contract, "help-1", 4340, human, now=at + timedelta(hours=4))
        hold("patch-2", patch, at + timedelta(hours=4), days=3)
        store.void(connection, "patch-2", "cancelled", at + timedelta(hours=5))
        hold("patch-3", patch, at + timedelta(hours=6), days=4)
        balance = ledger.balance(connection, contract, at + timedelta(hours=6))
        printed = [_log_line(contract, line) for line in ledger.log(connection, contract)]
    printed += _balance_lines(contract, balance)
    page = PAGE.read_text().splitlines()
    missing = [line for line in printed if line not in page]
    assert not missing, "the page should show:\n" + "\n".join(printed)
