"""What somebody is told of, and the message that tells it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TOLD_WITHIN = timedelta(days=3)
"""What could not be told for so long is told to nobody: `amc notify list` and `amc doctor` show it."""


class Event(StrEnum):
    """The names that a channel's `events` may hold."""

    APPROVAL = "approval"  # a plan waits for somebody's decision
    REFUSED = "refused"  # what came by itself (schedule, change) is not covered, or the hours did not suffice
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"
    UNKNOWN = "unknown"  # whether it ran can't be proven
    OVERDUE = "overdue"  # its time has passed, and it has not begun or was never ordered
    HOURS = "hours"  # 80, 95 and 100 % of the year's hours are used
    MAINTENANCE = "maintenance"  # notice ahead, a moved time, and that it does not take place


@dataclass(frozen=True)
class Message:
    """`key`: what is told, once. After `until` nobody needs it any more. `run`: its id, if it is of one."""

    key: str
    event: Event
    customer: str
    run: str | None
    subject: str
    body: str
    until: datetime
