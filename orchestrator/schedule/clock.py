"""From the time on the wall's clock to the moment: also in the nights when the clocks change."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


class Reading(NamedTuple):
    """`at`: the moment in UTC. `skipped`: the clocks never show that time; `repeated`: they show it twice."""

    at: datetime
    skipped: bool
    repeated: bool


def moment(nominal: datetime, zone: ZoneInfo) -> Reading:
    """The moment at which the clocks of `zone` show the naive time `nominal`.

    A time that they skip is the next valid moment, the one at which they go forward; a time that they show
    twice is the first of the two.
    """
    early, late = (nominal.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early == late:
        return Reading(early, skipped=False, repeated=False)
    if early < late:
        return Reading(early, skipped=False, repeated=True)
    return Reading(_change(late, early, zone), skipped=True, repeated=False)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first moment (whole seconds) between two that has the offset of the second."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // (2 * _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
