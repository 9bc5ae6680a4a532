"""Which snapshots of files and configuration may go. No I/O.

All of the last 2 days stay (one a minute at most), then the last of each hour for a week, then the last of
each day. Nothing that a recovery to any moment within the retention needs goes: beside those also the
snapshots that a backup or a mark names, and the newest ones whatever the clock says.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from repository import Snapshot

ALL_FOR = timedelta(days=2)
HOURLY_FOR = timedelta(days=7)
MARGIN = timedelta(days=1)
ALWAYS = 60  # newest snapshots of each kind that stay even when the clock has jumped


def window_begins(backups: Iterable[Mapping[str, Any]], now: datetime, days: int) -> datetime:
    """From when on recovery must be possible: the backup that a recovery to `days` ago starts from."""
    limit = now - timedelta(days=days)
    ends = [datetime.fromisoformat(each["ended"]) for each in backups if each.get("ok") and each.get("ended")]
    return max((end for end in ends if end <= limit), default=limit) - MARGIN


def wanted(
    backups: Sequence[Mapping[str, Any]], marks: Sequence[Mapping[str, Any]], now: datetime, days: int
) -> set[str]:
    """Snapshots that a backup or a mark within the window names."""
    since = window_begins(backups, now, days)
    named = {
        each.get(kind)
        for each in backups
        if each.get("ended") and datetime.fromisoformat(each["ended"]) >= since
        for kind in ("files_snapshot", "config_snapshot")
    }
    named |= {each.get("files_snapshot") for each in marks if datetime.fromisoformat(each["at"]) >= since}
    return {name for name in named if name}


def choose(snapshots: Sequence[Snapshot], now: datetime, days: int, named: set[str]) -> list[str]:
    """Ids of those that may go; `snapshots` in any order, `named` are ids or beginnings of ids."""
    going: list[str] = []
    for kind in ("store", "config"):
        mine = sorted((each for each in snapshots if kind in each.tags), key=lambda each: each.at)
        keep = {each.id for each in mine[-ALWAYS:]} | _last_of_each(mine, now, days)
        going += [each.id for each in mine if each.id not in keep and not any(map(each.id.startswith, named))]
    return going


def _last_of_each(ordered: Sequence[Snapshot], now: datetime, days: int) -> set[str]:
    """The last one of every slot: no slots for the newest, hours, then days; none beyond the retention."""
    last: dict[str, str] = {}
    for each in ordered:
        age = now - each.at
        if age <= ALL_FOR:
            slot = each.id
        elif age <= HOURLY_FOR:
            slot = each.at.strftime("%Y-%m-%d %H")
        else:
            slot = each.at.strftime("%Y-%m-%d")
        if age <= timedelta(days=days) + MARGIN:
            last[slot] = each.id
    return set(last.values())
