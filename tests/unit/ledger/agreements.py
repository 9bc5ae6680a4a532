"""Contracts for the ledger's tests: a retainer and a comprehensive one, with what a test changes."""

from datetime import date

from orchestrator.contracts.activities import ActivityTerms, Charge, WhenUsedUp
from orchestrator.contracts.model import Contract


def retainer(
    per_year: int = 5,
    *,
    number: str = "T-1",
    zone: str = "Asia/Dubai",
    start: date = date(2026, 1, 1),
    end: date | None = None,
    increment: int = 15,
    minimum: int = 0,
    version: int = 1,
) -> Contract:
    """A retainer contract of `per_year` hours a calendar year."""
    facts = {
        "customer": "acme",
        "customer_name": "Acme Trading LLC",
        "number": number,
        "version": version,
        "mode": "retainer",
        "time_zone": zone,
        "term": {"start": start, "end": end},
        "hours": {
            "per_calendar_year": per_year,
            "increment_minutes": increment,
            "minimum_minutes": minimum,
        },
        "maintenance_windows": [{"days": ["friday"], "start": "22:00", "end": "04:00"}],
    }
    return Contract.model_validate(facts, strict=False)


def comprehensive(number: str = "T-2") -> Contract:
    """A contract without a cap."""
    facts = retainer(number=number).model_dump() | {"mode": "comprehensive", "hours": {}}
    return Contract.model_validate(facts, strict=False)


def terms(
    charge: Charge = Charge.CLOCK, minutes: int | None = 60, when: WhenUsedUp = WhenUsedUp.REFUSE
) -> ActivityTerms:
    """An activity's terms."""
    return ActivityTerms(charge=charge, minutes=minutes, when_used_up=when, clause="C4")
