"""The words of every message: what happened, and what to do. Pure.

Times are in the contract's zone. A body's last line names the message, so that one that came twice is known.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestrator.contracts.model import Contract
from orchestrator.ledger import hours
from orchestrator.ledger.accounts import YearAccount
from orchestrator.notify.events import TOLD_WITHIN, Event, Message
from orchestrator.runs.states import State
from orchestrator.runs.store import Run
from orchestrator.schedule.occurrences import Occurrence
from orchestrator.schedule.placement import local, minutes

THRESHOLDS = (100, 95, 80)
"""Percent of a calendar year's hours, the highest first: only the highest that is reached is told."""
_ENDS = {
    State.FAILED: (Event.FAILED, "failed, a person has to look"),
    State.UNKNOWN: (Event.UNKNOWN, "whether it ran can't be proven, a person decides"),
    State.ROLLED_BACK: (Event.ROLLED_BACK, "failed, and the server is as it was before"),
    State.REFUSED: (Event.REFUSED, "was refused"),
}
TOLD_ENDS = tuple(_ENDS)
_KEY_TIME = "%Y%m%dT%H%M"


@dataclass(frozen=True)
class Work:
    """Planned work that a customer may notice: an order under `key`, or an occurrence that becomes one.

    `servers`: empty where that is not known yet.
    """

    key: str
    customer: str
    activity: str
    planned: datetime
    lasts: timedelta
    servers: tuple[str, ...]


def of_end(run: Run, now: datetime) -> Message:
    """A run that ended in one of TOLD_ENDS."""
    event, words = _ENDS[run.state]
    body = [run.words, f"{run.id}, ordered by {run.cause}", f"amc run show {run.id}"]
    return _of_run(run, event, f"{run.activity} {words}", body, now)


def of_approval(run: Run, now: datetime) -> Message:
    """A run that waits for a decision."""
    planned = (
        f"planned for {local(run.agreed(), run.planned_at)}" if run.planned_at else "it begins at once then"
    )
    body = [
        f"{run.id}, ordered by {run.cause}: {planned}",
        f"amc run show {run.id}",
        f"amc run approve {run.id} --by NAME, or amc run reject {run.id} --by NAME --why REASON",
    ]
    return _of_run(run, Event.APPROVAL, f"{run.activity} waits for an approval", body, now)


def of_late(run: Run, now: datetime) -> Message:
    """A run whose time has passed and that has not begun."""
    since = local(run.agreed(), run.planned_at or run.ordered_at)
    body = [
        f"{run.id} was to begin on {since}; it is still {run.state}",
        f"amc run show {run.id}; amc doctor says whether a worker lives",
    ]
    return _of_run(run, Event.OVERDUE, f"{run.activity} is overdue", body, now)


def of_never_ordered(contract: Contract, each: Occurrence, now: datetime) -> Message:
    """An occurrence whose time has passed without an order."""
    planned = local(contract, each.when)
    body = [f"It was planned for {planned}, and nothing ordered it", "amc doctor; amc schedule list"]
    subject = f"{contract.customer}: {each.activity} is overdue"
    key = f"{Event.OVERDUE}:{each.uid}"
    return Message(key, Event.OVERDUE, contract.customer, None, subject, _body(key, body), now + TOLD_WITHIN)


def of_hours(contract: Contract, account: YearAccount, now: datetime) -> Message | None:
    """The highest threshold that is reached, of all hours that this year has had; None below the lowest.

    Hours that were bought since make another message of the same threshold.
    """
    total = account.opening + account.granted + account.bought - account.expired
    reached = next((each for each in THRESHOLDS if account.used * 100 >= each * total), None)
    if total <= 0 or reached is None:
        return None
    subject = f"{contract.customer_name}: {reached} % of the hours of {account.year} are used"
    body = [
        f"{hours.show(account.used)} of {hours.show(total)} are used, {hours.show(account.held)} are held for"
        f" what is planned, {hours.show(account.closing)} are left",
        f"amc statement --customer {contract.customer} --year {account.year}",
    ]
    key = f"hours:{contract.number}:{account.year}:{reached}:of-{total}"
    return Message(key, Event.HOURS, contract.customer, None, subject, _body(key, body), now + TOLD_WITHIN)


def of_maintenance(contract: Contract, work: Work, before: datetime | None) -> Message:
    """Notice to the customer; `before`: when it was announced for until now."""
    when = local(contract, work.planned)
    subject = f"{contract.customer_name}: maintenance {'is moved to' if before else 'on'} {when}"
    where = ", ".join(work.servers) or "your servers"
    body = [
        f"{work.activity} of {where}: from {when} ({contract.time_zone}), about {minutes(work.lasts)}.",
        f"It was announced for {local(contract, before)} before." if before else "",
        "M EMS may not answer for a part of that time.",
    ]
    key = _announcement(work.planned, f"from-{before:{_KEY_TIME}}" if before else "-", work.key)
    text = _body(key, body)
    return Message(key, Event.MAINTENANCE, contract.customer, None, subject, text, work.planned)


def of_maintenance_off(contract: Contract, work: str, before: datetime) -> Message:
    """The work of that order's key, announced for `before`, does not take place."""
    when = local(contract, before)
    subject = f"{contract.customer_name}: no maintenance on {when}"
    body = [f"The maintenance that was announced for {when} ({contract.time_zone}) does not take place then."]
    key = _announcement(before, "off", work)
    return Message(key, Event.MAINTENANCE, contract.customer, None, subject, _body(key, body), before)


def _announcement(planned: datetime, change: str, work: str) -> str:
    return f"{Event.MAINTENANCE}:{planned.astimezone(UTC):{_KEY_TIME}}:{change}:{work}"


def announced(key: str) -> tuple[str, bool]:
    """Of an announcement's key: (the order's key, whether it says that the work does not take place)."""
    _, _, change, work = key.split(":", 3)
    return work, change == "off"


def _of_run(run: Run, event: Event, words: str, body: list[str], now: datetime) -> Message:
    subject = f"{run.customer}: {words} ({', '.join(run.servers)})"
    key = f"{event}:{run.id}"
    return Message(key, event, run.customer, run.id, subject, _body(key, body), now + TOLD_WITHIN)


def _body(key: str, lines: list[str]) -> str:
    return "\n".join([*(line for line in lines if line), f"[{key}]"])
