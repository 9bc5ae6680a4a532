"""Why a run is planned when it is, and not earlier, in sentences for a person."""

from datetime import date, datetime, timedelta

from orchestrator.contracts.model import Contract
from orchestrator.contracts.recurrence import ANY_TIME
from orchestrator.schedule.clock import moment
from orchestrator.schedule.occurrences import Occurrence, fates, following_from, scheduled
from orchestrator.schedule.placement import local, minutes

_YEARS = timedelta(days=800)
_SHOWN = 3


def explain(contract: Contract, activity: str, at: datetime) -> tuple[Occurrence | None, list[str]]:
    """The first occurrence from the aware time `at` on, and the sentences; None when none follows."""
    recurrence = contract.recurrence(activity)
    name = f"{activity} of {contract.customer}"
    if recurrence is None:
        others = ", ".join(scheduled(contract))
        words = "does not come round by itself: the contract gives it no rule, somebody orders it"
        return None, [f"{name} {words}.", f"What comes round: {others or 'nothing'}."]
    found = next(following_from(contract, activity, at), None)
    if found is None:
        return None, [f"{name}: none from {local(contract, at)} on.", *_ended(contract, activity, at)]
    start = "" if recurrence.start == contract.term.start else f", counted from {recurrence.start}"
    sentences = [
        f"{name}: the rule {recurrence.rule} at {recurrence.at}{start} names {_named(contract, found)}."
    ]
    sentences += _before(contract, found)
    if found.activity in ANY_TIME:
        sentences.append(
            "It never stops M EMS, so it needs no window, and no freeze or holiday holds it back."
        )
    else:
        need = f"needs {minutes(found.lasts)} of an open maintenance window"
        sentences.append(f"It can stop M EMS, so it {need}, outside freezes and holidays.")
    sentences += [f"{reason.words[:1].upper()}{reason.words[1:]}." for reason in found.reasons]
    sentences.append(_result(contract, found))
    return found, sentences + _work_of_others(contract, found)


def _named(contract: Contract, found: Occurrence) -> str:
    words = f"{found.nominal:%A %Y-%m-%d %H:%M} ({contract.time_zone})"
    if moment(found.nominal, contract.zone).repeated:
        return f"{words}; the clocks show that time twice, and the first one counts"
    return words


def _before(contract: Contract, found: Occurrence) -> list[str]:
    """What the rule names next before it: nothing lies between, but what the contract leaves out."""
    recurrence = contract.recurrence(found.activity)
    assert recurrence
    day, previous = found.nominal.date(), None
    for each in recurrence.days():
        if each >= day:
            break
        previous = each
    words = (
        f"The rule's day before it is {previous:%A} {previous}." if previous else "It is the rule's first."
    )
    sentences = [words]
    left_out = sorted(each for each in recurrence.exceptions if (previous or date.min) < each < day)
    if left_out:
        sentences.append(f"The contract leaves out {_days(left_out)}.")
    return sentences


def _result(contract: Contract, found: Occurrence) -> str:
    if found.planned is None:
        return "So it is not planned at all: somebody has to order it, or change the contract."
    shown = f"{local(contract, found.planned)} ({found.planned:%Y-%m-%d %H:%M} UTC)"
    if found.planned == found.due and not found.reasons:
        return f"It runs when the rule says: {shown}."
    return f"So it runs on {shown}, and not earlier."


def _work_of_others(contract: Contract, found: Occurrence) -> list[str]:
    """The days before it that had no place of their own."""
    earlier = fates(contract, found.activity, found.due - _YEARS / 2, found.when)
    left: list[date] = []
    for each in reversed(earlier):
        if not each.is_left_to_the_next:
            break
        left.append(each.nominal.date())
    if not left:
        return []
    return [
        f"It does the work of {_days(left[::-1])} too: there was no place for that before the next was due."
    ]


def _ended(contract: Contract, activity: str, at: datetime) -> list[str]:
    if contract.term.end and not contract.covers(at + _YEARS):
        return [f"The contract's term ends on {contract.term.end}."]
    recurrence = contract.recurrence(activity)
    return [f"The rule {recurrence.rule} names no day in the two years after." if recurrence else ""]


def _days(days: list[date]) -> str:
    shown = ", ".join(str(day) for day in days[-_SHOWN:])
    return f"{len(days)} days, the last of them {shown}" if len(days) > _SHOWN else shown
