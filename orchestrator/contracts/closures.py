"""Days on which nothing may stop M EMS: holidays and freezes; and what may be done in an emergency."""

from datetime import date
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from orchestrator.contracts.part import Fault, Part, Words, broken, fault
from orchestrator.contracts.spelling import closest

CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Holidays(Part):
    """The customer's holidays: those of a country (and a part of it), and days of its own."""

    country: CountryCode | None = Field(
        None, description="whose public holidays count: two letters (ISO 3166)", examples=["AE"]
    )
    subdivision: str | None = Field(
        None, description="a part of the country, as the library `holidays` names it", examples=["BW"]
    )
    dates: tuple[date, ...] = Field(
        (), description="days of the customer's own, YYYY-MM-DD", examples=["[2026-12-24, 2026-12-31]"]
    )

    @field_validator("country")
    @classmethod
    def _is_known(cls, country: str | None) -> str | None:
        if country and country not in _known():
            named = closest(country, _known())
            raise fault(
                f"no holidays are known of a country {country!r}", f"{named} use a code such as DE".strip()
            )
        return country

    @field_validator("subdivision")
    @classmethod
    def _belongs_to_the_country(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        if subdivision is None or "country" not in info.data:
            return subdivision
        country = info.data["country"]
        if country is None:
            raise fault("a subdivision without its country", "add `country: DE`, or remove `subdivision`")
        parts = _known()[country]
        if subdivision not in parts:
            mend = f"{closest(subdivision, parts)} known: {', '.join(parts) or 'none'}".strip()
            raise fault(f"{country} has no subdivision {subdivision!r}", mend)
        return subdivision

    @field_validator("dates")
    @classmethod
    def _each_day_once(cls, dates: tuple[date, ...]) -> tuple[date, ...]:
        twice = [
            Fault(f"{day} is a holiday already", "keep one of them", (index,))
            for index, day in enumerate(dates)
            if day in dates[:index]
        ]
        if twice:
            raise broken(*twice)
        return dates


class Freeze(Part):
    """Days, first and last included, on which no work that can stop M EMS runs."""

    from_: date = Field(alias="from", description="the first day, YYYY-MM-DD", examples=["2026-12-18"])
    until: date = Field(description="the last day, YYYY-MM-DD", examples=["2027-01-03"])
    why: Words = Field(description="why, in words for the schedule", examples=["stocktaking"])

    @field_validator("until")
    @classmethod
    def _not_before_it_begins(cls, until: date, info: ValidationInfo) -> date:
        begins = info.data.get("from_")
        if begins and until < begins:
            raise fault(
                f"the freeze ends on {until}, before it begins on {begins}", f"use a day from {begins} on"
            )
        return until

    def holds_on(self, day: date) -> bool:
        """Whether the day of the contract's clock lies in it."""
        return self.from_ <= day <= self.until


class Emergency(Part):
    """Work that can stop M EMS outside the windows, in freezes and on holidays too."""

    allowed: bool = Field(
        False,
        description="whether such work may run at once, for a reason that the statement shows",
        examples=["true"],
    )


def _known() -> dict[str, list[str]]:
    """Countries by code with the names of their subdivisions."""
    from holidays import list_supported_countries  # slow to import, and few contracts name a country

    return list_supported_countries(include_aliases=False)
