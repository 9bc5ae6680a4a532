"""Whether a day is closed for work that can stop M EMS, and why."""

from datetime import date
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from orchestrator.contracts.model import Contract


class Why(StrEnum):
    """Why a run does not begin at the time its rule names, or not at all. The last four: not at all."""

    SKIPPED = "skipped hour"
    WINDOW = "outside the windows"
    SHORT = "rest of a window too short"
    HOLIDAY = "holiday"
    FREEZE = "freeze"
    MISSED = "missed"
    NEXT = "left to the next"
    TOO_LONG = "longer than any window"
    NO_PLACE = "no place within a year"
    TERM = "end of the term"


NOT_AT_ALL = frozenset({Why.NEXT, Why.TOO_LONG, Why.NO_PLACE, Why.TERM})


class Reason(NamedTuple):
    """One reason, and the words for a person."""

    why: Why
    words: str


def closed(contract: Contract, day: date) -> Reason | None:
    """Why nothing that can stop M EMS may run on a day of the contract's clock; None on an open day."""
    if contract.term.end and day > contract.term.end:
        return Reason(Why.TERM, f"the contract's term ends on {contract.term.end}")
    if day < contract.term.start:
        return Reason(Why.TERM, f"the contract's term begins on {contract.term.start}")
    for freeze in contract.freezes:
        if freeze.holds_on(day):
            return Reason(
                Why.FREEZE, f"there is a freeze from {freeze.from_} to {freeze.until}: {freeze.why}"
            )
    holidays = contract.holidays
    if day in holidays.dates:
        return Reason(Why.HOLIDAY, f"{day:%A} {day} is a holiday of the customer's own")
    if holidays.country and (name := _public(holidays.country, holidays.subdivision, day.year).get(day)):
        place = "-".join(filter(None, (holidays.country, holidays.subdivision)))
        return Reason(Why.HOLIDAY, f"{day:%A} {day} is a holiday in {place}: {name}")
    return None


@cache
def _public(country: str, subdivision: str | None, year: int) -> dict[date, str]:
    """A year's public holidays with their names, in English where the library knows them so."""
    from holidays import country_holidays  # slow to import, and few contracts name a country

    return dict(country_holidays(country, subdiv=subdivision, years=year, language="en_US"))
