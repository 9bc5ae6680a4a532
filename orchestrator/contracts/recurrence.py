"""When an activity comes round by itself: its rule, its hour, and what holds when the contract says nothing.

Work that protects data or only looks never stops M EMS and may run at any time. All else keeps to the
maintenance windows and stays out of freezes and holidays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from pydantic import Field, field_validator

from orchestrator.contracts.activities import ActivityName
from orchestrator.contracts.part import Clock, Fault, Part, broken

NEVER = "never"
ANY_TIME: frozenset[ActivityName] = frozenset({"check", "backup", "drill", "monitor"})
"""What never stops M EMS. (The drill restores on a server of its own.)"""
NEVER_BY_ITSELF: frozenset[ActivityName] = frozenset({"resize"})

FIRST_WITHIN_YEARS = 10
_PATTERN = r"^(never|FREQ=[A-Z]+(;[A-Z]+=[A-Z0-9,+-]+)*)$"


@dataclass(frozen=True)
class Recurrence:
    """`rule` names days from the day `start` on, without `exceptions`; `at` HH:MM on the contract's clock.

    `lasts_minutes`: what one run is expected to take; None when the activity's minutes say so.
    """

    rule: str
    at: str
    start: date
    exceptions: frozenset[date] = frozenset()
    lasts_minutes: int | None = None

    def days(self) -> Iterator[date]:
        """The days, in order; endless unless the rule ends."""
        from orchestrator.contracts import rule  # dateutil only where a recurrence is read

        return (day for day in rule.days(self.rule, self.start) if day not in self.exceptions)


class Default(NamedTuple):
    """What holds when the contract says nothing; `lasts_minutes`: None when the activity's minutes say so."""

    rule: str
    at: str
    lasts_minutes: int | None = None


# A patch is due on the 8th and runs in the first window from then on: after Debian's and M EMS's own
# releases, which come early in a month, and the same for every customer, whatever the windows.
DEFAULT_RECURRENCES: dict[ActivityName, Default] = {
    "check": Default("FREQ=DAILY", "06:30", 15),
    "backup": Default("FREQ=DAILY", "01:30", 60),
    "drill": Default("FREQ=WEEKLY;BYDAY=WE", "10:00", 60),
    "patch": Default("FREQ=MONTHLY;BYMONTHDAY=8", "00:00"),
}
_BY_HAND = Default(NEVER, "00:00")


class RecurrenceChange(Part):
    """What a contract says of one activity's recurrence; what is left out keeps its default."""

    rule: str | None = Field(
        None,
        description="the days, as RFC 5545's RRULE, or never",
        examples=["FREQ=MONTHLY;BYDAY=2SA"],
        json_schema_extra={"pattern": _PATTERN},
    )
    at: Clock | None = Field(
        None, description="the hour HH:MM in quotes, on the contract's clock", examples=['"22:30"']
    )
    from_: date | None = Field(
        None,
        alias="from",
        description="the day from which INTERVAL and COUNT count, YYYY-MM-DD; without it the term's first",
        examples=["2026-01-05"],
    )
    exceptions: tuple[date, ...] = Field(
        (), description="days of the rule that are left out, YYYY-MM-DD", examples=["[2026-12-12]"]
    )
    lasts_minutes: int | None = Field(
        None, ge=1, le=10080, description="what one run is expected to take, in minutes", examples=[90]
    )

    @field_validator("rule")
    @classmethod
    def _rule_is_one(cls, text: str | None) -> str | None:
        if text is None or text == NEVER:
            return text
        from orchestrator.contracts import rule

        return rule.checked(text)

    @field_validator("exceptions")
    @classmethod
    def _each_day_once(cls, exceptions: tuple[date, ...]) -> tuple[date, ...]:
        twice = [
            Fault(f"{day} is an exception already", "keep one of them", (index,))
            for index, day in enumerate(exceptions)
            if day in exceptions[:index]
        ]
        if twice:
            raise broken(*twice)
        return exceptions

    def applied_to(self, activity: ActivityName, term_start: date) -> Recurrence | None:
        """The whole recurrence; None when the activity never comes round by itself."""
        default = DEFAULT_RECURRENCES.get(activity, _BY_HAND)
        rule = self.rule or default.rule
        if rule == NEVER:
            return None
        return Recurrence(
            rule=rule,
            at=self.at or default.at,
            start=self.from_ or term_start,
            exceptions=frozenset(self.exceptions),
            lasts_minutes=self.lasts_minutes or default.lasts_minutes,
        )


def recurrence_of(
    activity: ActivityName, change: RecurrenceChange | None, term_start: date
) -> Recurrence | None:
    """The activity's recurrence: its default with what the contract changes; None when it has none."""
    return (change or RecurrenceChange()).applied_to(activity, term_start)


def faults_of(activity: ActivityName, change: RecurrenceChange, term_start: date) -> list[Fault]:
    """What only shows when rule, default and term are seen together; keys below the activity's recurrence."""
    whole = change.applied_to(activity, term_start)
    if whole is None:
        # A contract that was written out, for a run's row, says every key.
        if change.rule == NEVER and set(change.model_dump(exclude_defaults=True)) == {"rule"}:
            return []
        if change.rule == NEVER:
            return [Fault(f"{activity} never comes round, so the other keys mean nothing", "remove them")]
        mend = "add a rule, for example `rule: FREQ=MONTHLY;BYDAY=2SA`"
        return [Fault(f"{activity} has no rule by default, and the contract names none", mend)]
    if activity in NEVER_BY_ITSELF:
        words = f"{activity} never comes round by itself: its plan is shown first, and somebody approves it"
        return [Fault(words, f"remove the rule; amc run start {activity} plans one", ("rule",))]
    from orchestrator.contracts import rule

    limit = whole.start.replace(year=whole.start.year + FIRST_WITHIN_YEARS, day=min(whole.start.day, 28))
    first = next(rule.days(whole.rule, whole.start), None)
    if first is None or first > limit:
        words = f"the rule names no day within {FIRST_WITHIN_YEARS} years from {whole.start}"
        return [Fault(words, "look at INTERVAL, UNTIL and the BY… parts, and at `from`", ("rule",))]
    return [
        Fault(f"{day} is no day of the rule {whole.rule}", _near(whole, day), ("exceptions", index))
        for index, day in enumerate(change.exceptions)
        if not _names(whole, day)
    ]


def _names(whole: Recurrence, day: date) -> bool:
    from orchestrator.contracts import rule

    return next((each for each in rule.days(whole.rule, whole.start) if each >= day), None) == day


def _near(whole: Recurrence, day: date) -> str:
    """The rule's days on either side."""
    from orchestrator.contracts import rule

    for before, after in pairwise(rule.days(whole.rule, whole.start)):
        if before < day < after:
            return f"near it are {before} and {after}"
        if before > day:
            return f"the first is {before}"
    return "the rule ends before it"
