"""Memory that grows until a restart: the sawtooth of a leak."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile, pairwise
from statistics import median
from zoneinfo import ZoneInfo

from orchestrator.sizing import words
from orchestrator.sizing.load import DAY, HOUR, Series, between

_LOOK_BACK = timedelta(days=56)
_DROP = 0.25  # of the level before: what a restart gives back
_SHORTEST = timedelta(hours=36)  # a working day's rise and fall is shorter
_GROWTH = 0.20  # of the level at its start
_BLOCK = 6  # hours
_MOST = 0.6  # of the time since the first
_NOISE = 0.97
_KEPT = 0.9  # of the steps from block to block, nights included, nothing is given back
_EARLY = 0.7  # of the growth, at most, in the first third: a leak goes on, a warm cache has an end


@dataclass(frozen=True)
class Leak:
    """`restarts` in the last 56 days, the last at `last`; the median growth in between in MiB per day."""

    restarts: int
    last: datetime
    mib_per_day: float


def find_leak(memory: Series, now: datetime) -> Leak | None:
    """At least two long rises, each ended by a fall, that fill most of the time since the first: a leak.

    Growth without a fall may be more work or more data as well: it is no leak until it starts anew.
    """
    all_teeth = list(_teeth(between(memory, now - _LOOK_BACK, now)))
    teeth = list(dropwhile(lambda tooth: not _rises(tooth), all_teeth))  # it may have come with an update
    rises = [tooth for tooth in teeth if _rises(tooth)]
    ended = [tooth for tooth in rises if tooth is not teeth[-1]]
    if len(ended) < 2 or sum(map(len, rises)) < _MOST * sum(map(len, teeth)):
        return None
    growth = median(
        (tooth[-1].value - tooth[0].value) / words.MIB / ((tooth[-1].at - tooth[0].at) / DAY)
        for tooth in rises
    )
    return Leak(len(ended), ended[-1][-1].at + HOUR, growth)


def leak_reason(leak: Leak, zone: ZoneInfo) -> str:
    """The leak in a sentence."""
    return (
        f"memory grows by {words.mib(leak.mib_per_day)} a day until a restart takes it back "
        f"({words.many(leak.restarts, 'time')} in {_LOOK_BACK.days} days, last on "
        f"{words.clock(leak.last, zone)}): "
        "this is a leak, to be mended in the application; a bigger server only delays it"
    )


def _teeth(memory: Series) -> Iterator[Series]:
    """The series cut where memory falls by a quarter from one hour to the next."""
    start = 0
    for i in range(1, len(memory)):
        if memory[i].value < (1 - _DROP) * memory[i - 1].value:
            yield memory[start:i]
            start = i
    yield memory[start:]


def _rises(tooth: Series) -> bool:
    if not tooth or tooth[-1].at - tooth[0].at < _SHORTEST:
        return False
    blocks = [max(point.value for point in tooth[i : i + _BLOCK]) for i in range(0, len(tooth), _BLOCK)]
    growth = blocks[-1] - blocks[0]
    kept = sum(after > _NOISE * before for before, after in pairwise(blocks))
    steady = blocks[len(blocks) // 3] - blocks[0] <= _EARLY * growth
    return growth > _GROWTH * blocks[0] and kept >= _KEPT * (len(blocks) - 1) and steady
