"""What the one who orders a run is told."""

from datetime import UTC, date, datetime
from typing import Any

from orchestrator.contracts.model import Contract, Hours, Mode, Term, Window
from orchestrator.runs.states import State
from orchestrator.runs.store import Run
from orchestrator.runs.view import ordered

CONTRACT = Contract(
    customer="acme",
    customer_name="Acme Trading LLC",
    number="AMC-2026-0001",
    version=1,
    mode=Mode.RETAINER,
    time_zone="Asia/Dubai",
    term=Term(start=date(2026, 1, 1)),
    hours=Hours(per_calendar_year=60),
    maintenance_windows=(Window(days=("friday",), start="22:00", end="04:00"),),
)
TUESDAY = datetime(2026, 11, 24, 8, tzinfo=UTC)
FRIDAY_NIGHT = datetime(2026, 11, 27, 19, tzinfo=UTC)


def run(**other: Any) -> Run:
    fields: dict[str, Any] = {
        "id": "acme-patch-20261124-080000-x7k2",
        "key": "k",
        "request": "",
        "customer": "acme",
        "activity": "patch",
        "servers": ["acme-erp1"],
        "cause": "engineer",
        "check_mode": False,
        "clause": "C4",
        "contract": CONTRACT.model_dump(mode="json"),
        "repository": "",
        "inventory": "",
        "state": State.QUEUED,
        "words": "",
        "exit_code": None,
        "ordered_at": TUESDAY,
        "held": 2700,
    }
    return Run(**fields | other)


def test_within_the_window_the_clause_and_the_hold_are_told() -> None:
    """Friday 23:00 in Dubai."""
    said = ordered(run(), CONTRACT, FRIDAY_NIGHT)
    assert said == "acme-patch-20261124-080000-x7k2: covered by C4 of AMC-2026-0001, 0:45 held"


def test_outside_it_the_planned_time_is_told_in_the_customers_time() -> None:
    """With what moved it there; an emergency says why it does not wait."""
    waits = run(state=State.WAITING, planned_at=FRIDAY_NIGHT, words="Tuesday is outside the windows")
    said = ordered(waits, CONTRACT, TUESDAY)
    assert said.endswith("planned for Friday 2026-11-27 23:00 +04: Tuesday is outside the windows")
    assert "free (check mode)" in ordered(run(check_mode=True), CONTRACT, TUESDAY)
    urgent = ordered(run(urgent="users can't log in"), CONTRACT, TUESDAY)
    assert urgent.endswith("outside the maintenance windows, under the emergency rule: users can't log in")


def test_the_contract_in_the_row_is_the_contract_that_was_agreed() -> None:
    """It survives the database's JSON, so a run is settled by the terms it was ordered under."""
    assert run().agreed() == CONTRACT
