"""WAL segments: their names, what recovery needs of them, what is missing, and which to read again. No I/O.

A segment's name is 24 hexadecimal digits: timeline, and two halves of its number. A timeline's history says
from which timeline, and at which position (LSN), it and its ancestors branched off.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SEGMENT_BYTES = 16 * 1024 * 1024
SEGMENT = re.compile(r"[0-9A-F]{24}")
HISTORY = re.compile(r"([0-9A-F]{8})\.history")
Proven = dict[str, list[int]]  # name -> [size, mtime in ns] as it was when it was read without an error


@dataclass(frozen=True, order=True)
class Segment:
    """One segment; `number` counts from the beginning of all WAL."""

    timeline: int
    number: int

    def name(self, size: int = SEGMENT_BYTES) -> str:
        """The file's name."""
        high, low = divmod(self.number, 0x1_0000_0000 // size)
        return f"{self.timeline:08X}{high:08X}{low:08X}"


@dataclass(frozen=True)
class Backup:
    """What a base backup needs: the WAL from the segment of its begin to that of its end."""

    id: str
    timeline: int
    begin: int
    end: int


def parse(name: str, size: int = SEGMENT_BYTES) -> Segment:
    """The segment of a file's name; ValueError for another name."""
    if not SEGMENT.fullmatch(name):
        raise ValueError(f"{name!r} is no WAL segment")
    return Segment(int(name[:8], 16), int(name[8:16], 16) * (0x1_0000_0000 // size) + int(name[16:], 16))


def position(lsn: str) -> int:
    """Bytes from the beginning of all WAL: position("1/A0") is 0x1000000A0."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def branches(history: str) -> list[tuple[int, int]]:
    """A history file's ancestors, oldest first: (timeline, position at which its successor branched off)."""
    lines = (line.split() for line in history.splitlines() if line.strip() and not line.startswith("#"))
    return [(int(words[0]), position(words[1])) for words in lines if len(words) >= 2]


def needed(
    backups: Iterable[Backup],
    present: Iterable[Segment],
    histories: Mapping[int, list[tuple[int, int]]],
    size: int = SEGMENT_BYTES,
) -> set[Segment]:
    """All segments that recovery from any of these backups to any moment since would read.

    `present` counts what is archived and what is still being received; `histories` is branches() by timeline.
    """
    newest: dict[int, int] = {}
    for segment in present:
        newest[segment.timeline] = max(segment.number, newest.get(segment.timeline, -1))
    wanted: set[Segment] = set()
    for backup in backups:
        for timeline in newest.keys() | histories.keys() | {backup.timeline}:
            wanted |= _path(backup, timeline, newest, histories.get(timeline, []), size)
    return wanted


def _path(
    backup: Backup, timeline: int, newest: Mapping[int, int], ancestors: list[tuple[int, int]], size: int
) -> set[Segment]:
    """What recovery from the backup along `timeline` to its newest segment reads; empty when it can't."""
    last = max(newest.get(timeline, -1), backup.end if timeline == backup.timeline else -1)
    steps = [*ancestors, (timeline, (last + 1) * size)]
    begin, path = backup.begin, set[Segment]()
    reached = False
    for here, until in steps:
        # The segment in which a timeline ends is read from its successor, which begins with a copy of it.
        stop = until // size
        if here == backup.timeline:
            if stop < backup.end and here != timeline:
                return set()  # branched off before the backup was complete
            reached = True
        if reached:
            path |= {Segment(here, number) for number in range(begin, stop)}
            begin = max(begin, stop)
    return path if reached else set()


def spans(segments: Iterable[Segment]) -> list[tuple[Segment, Segment]]:
    """Neighbours gathered: (first, last) of each unbroken stretch, in order."""
    found: list[tuple[Segment, Segment]] = []
    for segment in sorted(segments):
        if found and found[-1][1] == Segment(segment.timeline, segment.number - 1):
            found[-1] = (found[-1][0], segment)
        else:
            found.append((segment, segment))
    return found


def to_read(present: Iterable[Segment], unread: set[Segment]) -> list[tuple[Segment, Segment]]:
    """Stretches to read so that each of `unread` is proven.

    Each begins one segment early where that is there: a record that begins in one segment and ends in the
    next is proven only when both are read in one go.
    """
    there = set(present)
    stretches = []
    for first, last in spans(unread & there):
        before = Segment(first.timeline, first.number - 1)
        stretches.append((before if before in there else first, last))
    return stretches


def blamed(message: str, first: Segment, last: Segment, size: int = SEGMENT_BYTES) -> Segment:
    """The segment that pg_waldump's complaint is about; `first` when it names none of those read."""
    for name in SEGMENT.findall(message):
        segment = parse(name, size)
        if first <= segment <= last:
            return segment
    for lsn in reversed(re.findall(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}", message)):
        segment = Segment(first.timeline, position(lsn) // size)
        if first <= segment <= last:
            return segment
    return first
