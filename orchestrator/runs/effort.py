"""A run's effort: the spans of time in which something of it really ran.

The union of the controller's heartbeat intervals (all attempts) and of the servers' unit run times. Time in
which nothing ran is in no interval, so it is never charged.
"""

from collections.abc import Iterable
from datetime import datetime

Interval = tuple[datetime, datetime]


def spans(controller: Iterable[Interval], servers: Iterable[Interval], until: datetime) -> list[Interval]:
    """The union, in order and without overlaps; empty when nothing ran.

    A server's interval counts only between the first heartbeat and `until`: a server with a wrong clock
    can't charge for time before the run or after its end.
    """
    beats = [(start, end) for start, end in controller if end > start]
    if not beats:
        return []
    first = min(start for start, _ in beats)
    clipped = ((max(start, first), min(end, until)) for start, end in servers)
    union: list[Interval] = []
    for start, end in sorted([*beats, *clipped]):
        if end <= start:
            continue
        if union and start <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], end))
        else:
            union.append((start, end))
    return union
