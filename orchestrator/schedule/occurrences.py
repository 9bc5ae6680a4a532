"""Occurrences: which runs a contract wants by itself, when each is planned, and why not earlier.

1. days     the activity's rule names days; exceptions and days outside the term fall away
2. due      the day's hour on the contract's clock, as a moment (clock.py)
3. planned  what may run at any time runs when due; all else at the first place from then on (placement.py)
4. next     one that would wait until the next one is due, or into its window, is left to it: never two runs
            for one window

All of this follows from the contract alone, so an asked interval can be split at any moment, and asked again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import cast

from orchestrator.contracts.activities import DEFAULTS, ActivityName
from orchestrator.contracts.model import Contract
from orchestrator.contracts.recurrence import ANY_TIME, Recurrence
from orchestrator.schedule.clock import moment
from orchestrator.schedule.closures import NOT_AT_ALL, Reason, Why, closed
from orchestrator.schedule.placement import Place, first_place, is_one_room, local, too_long

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Occurrence:
    """One run that the contract wants by itself.

    `uid`: the same for as long as the rule names the day, whatever the hour and wherever it is moved; fit for
    an order's key. `nominal`: naive, on the contract's clock. `due`: its moment; `planned`: when it runs,
    None when it does not; both UTC. `reasons`: why not when the rule says, in order; empty when it does.
    """

    uid: str
    customer: str
    activity: ActivityName
    nominal: datetime
    due: datetime
    planned: datetime | None
    lasts: timedelta
    reasons: tuple[Reason, ...] = ()

    @property
    def when(self) -> datetime:
        """Where it stands in a list: when it is planned, else when it would have been due."""
        return self.planned or self.due

    @property
    def is_left_to_the_next(self) -> bool:
        """The next one does its work: nothing runs, and nothing is wrong."""
        return any(reason.why is Why.NEXT for reason in self.reasons)


def expected(contract: Contract, activity: ActivityName) -> timedelta:
    """What a run is expected to take: as the recurrence says, else the activity's minutes, else an hour."""
    recurrence = contract.recurrence(activity)
    said = recurrence.lasts_minutes if recurrence else None
    told = said or contract.terms(activity).minutes or DEFAULTS[activity].minutes
    return timedelta(minutes=told) if told else _HOUR


def scheduled(contract: Contract) -> list[ActivityName]:
    """The activities that come round by themselves."""
    return [activity for activity in DEFAULTS if contract.recurrence(activity)]


def never_fits(contract: Contract) -> list[str]:
    """What comes round by itself and is longer than any window, in words: it never runs."""
    found = []
    for activity in scheduled(contract):
        lasts = expected(contract, activity)
        if activity not in ANY_TIME and (reason := too_long(contract, lasts)):
            found.append(f"never runs by itself: {activity}: {reason.words}")
    return found


def occurrences(
    contract: Contract, activity: str, start: datetime, until: datetime, lasts: timedelta | None = None
) -> list[Occurrence]:
    """Those whose `when` lies in [start, until), in order; aware times. `lasts`: a measured length, if known.

    What no window can hold is among them, with `planned` None and the reason: somebody has to hear of it.
    KeyError for an unknown activity.
    """
    every = fates(contract, activity, start, until, lasts)
    return [each for each in every if not each.is_left_to_the_next]


def fates(
    contract: Contract, activity: str, start: datetime, until: datetime, lasts: timedelta | None = None
) -> list[Occurrence]:
    """As `occurrences`, with those that are left to the next."""
    if start.tzinfo is None or until.tzinfo is None:
        raise ValueError("a time without a zone says nothing about a schedule")
    recurrence = contract.recurrence(activity)
    if recurrence is None or until <= start:
        return []
    name = cast(ActivityName, activity)
    length = expected(contract, name) if lasts is None else lasts
    found = []
    for day, following in pairwise([*_days(contract, recurrence, start, until), None]):
        if day is None or moment(_nominal(day, recurrence), contract.zone).at >= until:
            break
        due_next = moment(_nominal(following, recurrence), contract.zone).at if following else None
        each = _occurrence(contract, name, _nominal(day, recurrence), due_next, length)
        if start <= each.when < until:
            found.append(each)
    return found


def catch_up(contract: Contract, activity: str, since: datetime, now: datetime) -> Occurrence | None:
    """The one run that makes up for all that were planned in [since, now) and not ordered, or None.

    It is the last of them, planned anew from `now` on; None when nothing was missed, or when the next
    one comes before it would end. `since`: up to when everything had been ordered.
    """
    missed = [each for each in occurrences(contract, activity, since, now) if each.planned]
    if not missed:
        return None
    last = missed[-1]
    made_up = f"it was missed at {local(contract, last.when)}"
    count = len(missed)
    words = f"{made_up}, the last of {count}" if count > 1 else made_up
    reason = Reason(Why.MISSED, f"{words}: one run makes up for what was missed")
    place = late_place(contract, last.activity, last.lasts, now)
    if place.at is None:
        return None
    return replace(last, planned=place.at, reasons=(*last.reasons, reason, *place.reasons))


def late_place(contract: Contract, activity: ActivityName, lasts: timedelta, now: datetime) -> Place:
    """Where a run that was not done in time may begin, from `now` on.

    None where the next one is as good: this would not be over before that begins, or needs its window.
    """
    following = next((each for each in following_from(contract, activity, now) if each.planned), None)
    before = following.planned if following else None
    if activity in ANY_TIME:
        place = _any_time(contract, now.astimezone(UTC))
    else:
        place = first_place(contract, now, lasts, before)
    is_refused = place.at is None and all(reason.why is not Why.NO_PLACE for reason in place.reasons)
    if before is None or is_refused:
        return place
    fits = place.at is not None and place.at + lasts <= before
    if fits and (activity in ANY_TIME or not is_one_room(contract, place.at or before, before + lasts)):
        return place
    words = f"the next one is planned for {local(contract, before)}, and no earlier place is free for this"
    kept = [reason for reason in place.reasons if reason.why not in NOT_AT_ALL]
    return Place(None, (*kept, Reason(Why.NEXT, words)))


def following_from(
    contract: Contract, activity: str, start: datetime, days: int = 800
) -> Iterator[Occurrence]:
    """The occurrences from `start` on, in order, for so many days; asked for step by step."""
    step, end = timedelta(days=10), start + timedelta(days=days)
    while start < end:
        until = min(start + step, end)
        yield from occurrences(contract, activity, start, until)
        start, step = until, step * 3


def _days(contract: Contract, recurrence: Recurrence, start: datetime, until: datetime) -> list[date]:
    """The rule's days in the asked interval, with the one before, which may have been moved into it, and the
    one after, which limits how far the last may be moved.
    """
    first = start.astimezone(contract.zone).date() - _DAY
    last = until.astimezone(contract.zone).date() + _DAY
    found: list[date] = []
    for day in recurrence.days():
        if contract.term.end and day > contract.term.end:
            break
        if day < contract.term.start:
            continue
        if found and found[-1] < first and day <= first:
            found.clear()
        found.append(day)
        if day > last:
            break
    return found


def _nominal(day: date, recurrence: Recurrence) -> datetime:
    return datetime.combine(day, time.fromisoformat(recurrence.at))


def _occurrence(
    contract: Contract, activity: ActivityName, nominal: datetime, due_next: datetime | None, lasts: timedelta
) -> Occurrence:
    due, skipped, _ = moment(nominal, contract.zone)
    uid = f"{contract.customer}-{activity}-{nominal:%Y-%m-%d}"
    plain = Occurrence(uid, contract.customer, activity, nominal, due, due, lasts)
    reasons: list[Reason] = []
    if skipped:
        words = f"the clocks skip {nominal:%A %Y-%m-%d %H:%M}, the next moment is {local(contract, due)}"
        reasons.append(Reason(Why.SKIPPED, words))
    place = _any_time(contract, due) if activity in ANY_TIME else first_place(contract, due, lasts, due_next)
    reasons += place.reasons
    if due_next and _comes_too_late(contract, place, due, due_next, lasts):
        words = (
            f"the next one is due on {local(contract, due_next)}, and no earlier window has a place for this"
        )
        kept = [reason for reason in reasons if reason.why not in NOT_AT_ALL]
        return replace(plain, planned=None, reasons=(*kept, Reason(Why.NEXT, words)))
    return replace(plain, planned=place.at, reasons=tuple(reasons))


def _comes_too_late(
    contract: Contract, place: Place, due: datetime, due_next: datetime, lasts: timedelta
) -> bool:
    """Whether the next one is as good: nothing is free before it is due, or only its own window is."""
    if place.at is None:
        return any(reason.why is Why.NO_PLACE for reason in place.reasons)
    if place.at >= due_next:
        return True
    return place.at > due and is_one_room(contract, place.at, due_next + lasts)


def _any_time(contract: Contract, due: datetime) -> Place:
    """It runs when it is due, unless the clocks have skipped it beyond the term's end."""
    reason = None if contract.covers(due) else closed(contract, due.astimezone(contract.zone).date())
    return Place(None, (reason,)) if reason else Place(due, ())
