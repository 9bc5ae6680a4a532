"""Which base backup, timeline and file snapshot a recovery takes, and what it will lose, in words. No I/O.

A timeline is a line of history of one database cluster: every recovery begins a new one. A base backup can
be replayed along a timeline when it was made on it, or on one of its ancestors before that ended.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import wal
from repository import Snapshot

History = list[tuple[int, int]]  # wal.branches(): (ancestor, position at which its successor branched off)
USABLE = {"DONE", "WAITING_FOR_WALS"}


class NoChoice(Exception):
    """Nothing can be recovered as asked; the reason in words, with what can be done."""


@dataclass(frozen=True)
class BaseBackup:
    """One of Barman's base backups. `size` in bytes; positions in bytes from the beginning of all WAL."""

    id: str
    timeline: int
    begin: int
    end: int
    began: datetime
    ended: datetime
    size: int
    segment_bytes: int
    systemid: str
    tablespaces: bool


@dataclass(frozen=True)
class Target:
    """Where replay stops: at the end of what was received (both None), at a time, or at a named mark."""

    time: datetime | None = None
    mark: str | None = None


@dataclass(frozen=True)
class Received:
    """The end of what the backup server holds of one timeline.

    `position` is where its last record begins: replay has everything once it is past that. `time` is the last
    commit's, None when none was found in the newest segments.
    """

    timeline: int
    position: int
    time: datetime | None


def lsn(position: int) -> str:
    """As PostgreSQL writes it: lsn(0x1000000A0) is "1/A0"."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def read_backup(text: str, backup_id: str) -> BaseBackup | None:
    """From Barman's backup.info; None for one that is not whole (failed, or still being made)."""
    field = dict(re.findall(r"^(\w+)=(.*)$", text, re.M))
    if field.get("status") not in USABLE or field.get("end_xlog", "None") == "None":
        return None
    return BaseBackup(
        id=backup_id,
        timeline=int(field["timeline"]),
        begin=wal.position(field["begin_xlog"]),
        end=wal.position(field["end_xlog"]),
        began=datetime.fromisoformat(field["begin_time"]),
        ended=datetime.fromisoformat(field["end_time"]),
        size=int(field["size"]) if field.get("size", "None") != "None" else 0,
        segment_bytes=int(field.get("xlog_segment_size") or wal.SEGMENT_BYTES),
        systemid=field.get("systemid", ""),
        tablespaces=field.get("tablespaces", "None") not in ("None", "[]"),
    )


def timeline_at(moment: datetime, recoveries: Sequence[Mapping[str, Any]], current: int) -> int:
    """The timeline of the server's work then. `recoveries`: records {at, from_timeline, to_timeline}."""
    ordered = sorted(recoveries, key=lambda each: str(each["at"]))
    found = int(ordered[0]["from_timeline"]) if ordered else current
    for each in ordered:
        if moment >= datetime.fromisoformat(each["at"]):
            found = int(each["to_timeline"])
    return found


def current_timeline(recoveries: Sequence[Mapping[str, Any]], received: Iterable[int]) -> int:
    """The timeline that the server works on: the last recovery's, else the newest that was received.

    Not simply the newest: an older cluster that was put back works on its older timeline again.
    """
    if recoveries:
        return int(max(recoveries, key=lambda each: str(each["at"]))["to_timeline"])
    return max(received, default=1)


def ancestry(timeline: int, histories: Mapping[int, History]) -> dict[int, int | None]:
    """The timelines that lead to this one -> the position where each was left; None for itself."""
    return {**dict(histories.get(timeline, [])), timeline: None}


def candidates(
    backups: Iterable[BaseBackup],
    bad: Mapping[str, str],
    timeline: int,
    histories: Mapping[int, History],
    not_after: datetime | None,
) -> list[BaseBackup]:
    """What can be replayed along the timeline, newest first; with `not_after` only what was complete then.

    NoChoice when there is none, with the reason.
    """
    way = ancestry(timeline, histories)

    def on_the_way(backup: BaseBackup) -> bool:
        if backup.timeline not in way:
            return False
        left = way[backup.timeline]
        return left is None or backup.end <= left

    whole = [each for each in backups if on_the_way(each)]
    good = [each for each in whole if each.id not in bad]
    found = [each for each in good if not_after is None or each.ended <= not_after]
    if found:
        return sorted(found, key=lambda each: each.ended, reverse=True)
    if good and not_after:
        oldest = min(each.ended for each in good)
        raise NoChoice(
            f"the oldest backup of timeline {timeline} was complete at {words_of(oldest)}, "
            f"after {words_of(not_after)}: ask for a later time"
        )
    if whole:
        raise NoChoice(
            f"every backup of timeline {timeline} is marked bad: "
            + "; ".join(f"{each.id}: {bad[each.id]}" for each in whole)
        )
    raise NoChoice(f"there is no backup of timeline {timeline}: nothing can be recovered")


def ends_where_received(target: Target, received: Received) -> bool:
    """Whether replay runs to the end of what was received: so too for a time after its last commit."""
    if target.mark:
        return False
    return target.time is None or received.time is None or target.time >= received.time


def snapshot_for(moment: datetime | None, snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """The newest snapshot of the files, or the first whole one after the moment; None when there is none.

    Files are written once and before the row that names them, so a snapshot after the moment has what the
    database names then. One of a pull that broke off has all that came before, and may have the last files of
    a server that died.
    """
    ordered = sorted((each for each in snapshots if "store" in each.tags), key=lambda snapshot: snapshot.at)
    if moment is not None:
        for each in ordered:
            if each.at >= moment and "partial" not in each.tags:
                return each
    return ordered[-1] if ordered else None


def words_of(moment: datetime) -> str:
    """A moment for people, to the second, with its offset."""
    return moment.isoformat(sep=" ", timespec="seconds")


def loss(target: Target, received: Received, commits: int, first: datetime | None) -> str:
    """What this recovery will lose. `commits` after the target (0 for all that was received), the first at
    `first`.
    """
    until = words_of(received.time) if received.time else "the backup itself"
    tail = "What was committed later and did not reach the backup server is lost (usually less than 1 s)."
    if ends_where_received(target, received):
        return f"Everything that the backup server received comes back; the last commit is of {until}. {tail}"
    if target.mark:
        return f"Everything after the mark {target.mark} is taken back: {commits} commits up to {until}."
    assert target.time is not None
    began = f", the first at {words_of(first)}" if first else ""
    return (
        f"Everything committed after {words_of(target.time)} is taken back: "
        f"{commits} commits{began}, the last at {until}."
    )
