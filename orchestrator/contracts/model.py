"""The contract's model: what `amc_contract` in group_vars/all/contract.yml may say, rule by rule.

Built by contracts/read.py, which gives every fault its file, line and mend. A rule that a type can't express
raises its faults by way of `fault`; a rule across keys speaks once these keys are valid by themselves.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from orchestrator.contracts.activities import (
    DEFAULTS,
    ActivityName,
    ActivityTerms,
    Charge,
    CoveredClause,
    WhenUsedUp,
)
from orchestrator.contracts.closures import Emergency, Freeze, Holidays
from orchestrator.contracts.part import Clock, Fault, Part, broken, fault
from orchestrator.contracts.protection import Backup, Growth, Hardening, HardeningException
from orchestrator.contracts.recurrence import Recurrence, RecurrenceChange, faults_of, recurrence_of
from orchestrator.contracts.spelling import closest

__all__ = [
    "DAYS",
    "ActivityTerms",
    "Backup",
    "Charge",
    "Contract",
    "ContractFile",
    "Emergency",
    "Fault",
    "Freeze",
    "Growth",
    "Hardening",
    "HardeningException",
    "Holidays",
    "Hours",
    "Mode",
    "Recurrence",
    "Term",
    "WhenUsedUp",
    "Window",
]

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = get_args(Day)
Increment = Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]
EndTime = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


def _is_place(zone: str) -> bool:
    """`localtime` depends on the machine, `EST` forgets summer time: a contract names a place or UTC."""
    return "/" in zone or zone == "UTC"


class Mode(StrEnum):
    """Retainer: hours of a calendar year, more are prepaid. Comprehensive: no cap, effort is logged."""

    RETAINER = "retainer"
    COMPREHENSIVE = "comprehensive"


class Term(Part):
    """First and last day (both inclusive) in the contract's time zone."""

    start: date = Field(description="the first day, YYYY-MM-DD", examples=["2026-01-01"])
    end: date | None = Field(
        None,
        description="the last day, YYYY-MM-DD; without it the contract renews itself at each year's end",
        examples=["2026-12-31"],
    )

    @field_validator("end")
    @classmethod
    def _not_before_start(cls, end: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if end and start and end < start:
            raise fault(f"the term ends on {end}, before it starts on {start}", f"use a day from {start} on")
        return end


class Hours(Part):
    """The hours granted; effort is rounded once per run: up to the increment, at least the minimum."""

    per_calendar_year: int | None = Field(
        None, ge=1, le=8784, description="hours granted each calendar year, a whole number", examples=[60]
    )
    increment_minutes: Increment = Field(
        15, description="charged in steps of these minutes, a whole part of an hour", examples=[15]
    )
    minimum_minutes: int = Field(
        0, ge=0, le=480, description="the least a charged run costs, in minutes", examples=[15]
    )
    proration: Literal["days"] = Field(
        "days", description="how the first and last year's hours are shared out", examples=["days"]
    )

    @field_validator("minimum_minutes")
    @classmethod
    def _whole_increments(cls, minimum: int, info: ValidationInfo) -> int:
        increment = info.data.get("increment_minutes")
        if increment and minimum % increment:
            raise fault(
                f"minimum_minutes is {minimum}, not a multiple of increment_minutes ({increment})",
                f"use {minimum - minimum % increment} or {minimum - minimum % increment + increment}",
            )
        return minimum


class Window(Part):
    """Hours of the customer's clock in which work that can be noticed may run; `days` name the day it starts.

    An end before the start lies on the next day. Open at `start`, closed at `end`.
    """

    days: tuple[Day, ...] = Field(
        min_length=1, description="the days on which the window starts", examples=["[friday, saturday]"]
    )
    start: Clock = Field(description='a time HH:MM in quotes, "00:00" to "23:59"', examples=['"22:00"'])
    end: EndTime = Field(description='a time HH:MM in quotes, "00:00" to "24:00"', examples=['"04:00"'])

    @field_validator("days")
    @classmethod
    def _each_day_once(cls, days: tuple[Day, ...]) -> tuple[Day, ...]:
        twice = sorted({day for day in days if days.count(day) > 1})
        if twice:
            raise fault(f"{', '.join(twice)} is named more than once", "name each day once")
        return days

    @field_validator("end")
    @classmethod
    def _not_empty(cls, end: str, info: ValidationInfo) -> str:
        if end == info.data.get("start"):
            raise fault(
                f"the window starts and ends at {end}", 'a whole day is start: "00:00" with end: "24:00"'
            )
        return end


class ActivityChange(Part):
    """What a contract changes in one activity's terms; what is left out keeps its default."""

    charge: Charge | None = Field(None, description="none, fixed or clock", examples=["fixed"])
    minutes: int | None = Field(
        None, ge=1, le=10080, description="fixed: minutes charged; clock: minutes held", examples=[45]
    )
    when_used_up: WhenUsedUp | None = Field(None, description="refuse or continue", examples=["refuse"])
    clause: CoveredClause | None = Field(
        None, description="the clause that covers it, C1 to C5", examples=["C4"]
    )
    recurrence: RecurrenceChange | None = Field(
        None,
        description="when it comes round by itself; what is left out keeps its default",
        examples=['{rule: FREQ=MONTHLY;BYDAY=2SA, at: "22:30"}'],
    )

    def applied_to(self, default: ActivityTerms) -> ActivityTerms:
        """The default with the keys of this change; work that is only logged has no minutes."""
        merged = default.model_copy(update=self.model_dump(exclude_none=True, exclude={"recurrence"}))
        return merged.model_copy(update={"minutes": None}) if merged.charge is Charge.NONE else merged


class Contract(Part):
    """One customer's annual maintenance contract; times in it are on the customer's clock."""

    customer: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="the name of the customer's folder: lower-case letters, digits and hyphens",
        examples=["acme"],
    )
    customer_name: str = Field(
        min_length=1, description="the customer's name, in full", examples=["Acme Trading LLC"]
    )
    number: str = Field(min_length=1, description="the contract's number, a text", examples=["AMC-2026-0001"])
    version: int = Field(
        ge=1, description="1, and one more with every change that is agreed upon", examples=[1]
    )
    mode: Mode = Field(description="retainer or comprehensive", examples=["retainer"])
    time_zone: str = Field(
        description="an IANA time zone, for windows, calendar years and statements",
        examples=["Europe/Berlin"],
    )
    term: Term = Field(description="the first and the last day", examples=["{start: 2026-01-01}"])
    hours: Hours = Field(
        default_factory=Hours,
        validate_default=True,
        description="the hours granted and how effort is rounded",
        examples=["{per_calendar_year: 60}"],
    )
    maintenance_windows: tuple[Window, ...] = Field(
        min_length=1,
        description="at least one window in which work may be noticed",
        examples=['[{days: [sunday], start: "01:00", end: "05:00"}]'],
    )
    activities: dict[ActivityName, ActivityChange] = Field(
        default_factory=dict,
        description="what differs from the defaults, per activity",
        examples=["{patch: {minutes: 45}}"],
    )
    backup: Backup = Field(
        default_factory=Backup,
        description="how well backups must work; what is left out keeps its default",
        examples=["{retention_days: 30}"],
    )
    hardening: Hardening = Field(
        default_factory=Hardening,
        description="what hardening leaves out",
        examples=["{exceptions: []}"],
    )
    growth: Growth = Field(
        default_factory=Growth,
        description="how far servers may grow without another agreement",
        examples=["{usd_per_month_cap: 250}"],
    )
    emergency: Emergency = Field(
        default_factory=Emergency,
        description="work outside the windows: `amc run start … --now --why REASON`",
        examples=["{allowed: true}"],
    )
    holidays: Holidays = Field(
        default_factory=Holidays,
        description="days on which nothing may stop M EMS: a country's holidays, and the customer's own",
        examples=["{country: AE}"],
    )
    freezes: tuple[Freeze, ...] = Field(
        (),
        description="spans of days in which nothing may stop M EMS",
        examples=["[{from: 2026-12-18, until: 2027-01-03, why: stocktaking}]"],
    )

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "if": {"properties": {"mode": {"const": "retainer"}}},
                    "then": {
                        "required": ["hours"],
                        "properties": {
                            "hours": {
                                "required": ["per_calendar_year"],
                                "properties": {"per_calendar_year": {"type": "integer"}},
                            }
                        },
                    },
                    "else": {
                        "properties": {"hours": {"properties": {"per_calendar_year": {"type": "null"}}}}
                    },
                }
            ]
        }
    )

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            known = False
        else:
            known = _is_place(name)
        if not known:
            named = closest(name, filter(_is_place, available_timezones()))
            mend = f"{named} use an IANA name such as Europe/Berlin, or UTC".strip()
            raise fault(f"there is no time zone {name!r}", mend)
        return name

    @field_validator("hours")
    @classmethod
    def _hours_fit_the_mode(cls, hours: Hours, info: ValidationInfo) -> Hours:
        mode = info.data.get("mode")
        if mode is Mode.RETAINER and hours.per_calendar_year is None:
            raise fault(
                "a retainer contract needs hours.per_calendar_year",
                "add `per_calendar_year: 60` (the hours agreed upon) below `hours`",
            )
        if mode is Mode.COMPREHENSIVE and hours.per_calendar_year is not None:
            raise fault(
                "a comprehensive contract has no cap, so no hours.per_calendar_year",
                "remove `per_calendar_year`, or write `mode: retainer`",
                "per_calendar_year",
            )
        return hours

    @field_validator("activities")
    @classmethod
    def _minutes_fit_the_charge(
        cls, activities: dict[ActivityName, ActivityChange]
    ) -> dict[ActivityName, ActivityChange]:
        faults = []
        for name, change in activities.items():
            terms = change.applied_to(DEFAULTS[name])
            if terms.charge is Charge.NONE and change.minutes is not None:
                faults.append(
                    Fault(
                        f"{name} is only logged (charge: none), so its minutes mean nothing",
                        "remove `minutes`, or write `charge: fixed` or `charge: clock`",
                        (name, "minutes"),
                    )
                )
            if terms.charge is not Charge.NONE and terms.minutes is None:
                faults.append(
                    Fault(
                        f"{name} with charge: {terms.charge} needs minutes",
                        "add `minutes: 30` (fixed: what is charged; clock: what is held)",
                        (name, "charge"),
                    )
                )
        if faults:
            raise broken(*faults)
        return activities

    @field_validator("activities")
    @classmethod
    def _recurrences_name_days(
        cls, activities: dict[ActivityName, ActivityChange], info: ValidationInfo
    ) -> dict[ActivityName, ActivityChange]:
        if "term" not in info.data:
            return activities  # the rules count from its first day
        faults = [
            each._replace(key=(name, "recurrence", *each.key))
            for name, change in activities.items()
            if change.recurrence
            for each in faults_of(name, change.recurrence, info.data["term"].start)
        ]
        if faults:
            raise broken(*faults)
        return activities

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of windows, calendar years and statements."""
        return ZoneInfo(self.time_zone)

    def terms(self, activity: str) -> ActivityTerms:
        """The activity's terms: its default with what this contract changes. KeyError for an unknown name."""
        name = cast(ActivityName, activity)
        default = DEFAULTS[name]
        change = self.activities.get(name)
        return change.applied_to(default) if change else default

    def recurrence(self, activity: str) -> Recurrence | None:
        """When the activity comes round by itself; None when it does not. KeyError for an unknown name."""
        name = cast(ActivityName, activity)
        DEFAULTS[name]
        change = self.activities.get(name)
        return recurrence_of(name, change.recurrence if change else None, self.term.start)

    def covers(self, at: datetime) -> bool:
        """Whether the aware time `at` lies in the term, first and last day included."""
        day = self._local(at).date()
        return self.term.start <= day and (self.term.end is None or day <= self.term.end)

    def year_of(self, at: datetime) -> int:
        """The calendar year of the aware time `at` on the contract's clock."""
        return self._local(at).year

    def ended_exceptions(self, at: datetime) -> tuple[HardeningException, ...]:
        """The exceptions from hardening that hold no longer at the aware time `at`."""
        day = self._local(at).date()
        return tuple(each for each in self.hardening.exceptions if not each.holds_on(day))

    def _local(self, at: datetime) -> datetime:
        if at.tzinfo is None:
            raise ValueError("a time without a zone says nothing about a contract's day")
        return at.astimezone(self.zone)


class ContractFile(Part):
    """group_vars/all/contract.yml: one key, so that roles read it as a variable."""

    amc_contract: Contract = Field(description="the contract", examples=["{customer: acme}"])
