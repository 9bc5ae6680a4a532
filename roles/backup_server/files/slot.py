"""The replication slot: the backup server's place in the M EMS server's stream of changes (WAL).

PostgreSQL keeps all WAL since that place. When more piles up than max_slot_wal_keep_size allows, the place is
lost, and Barman's own check says nothing of it: so it is read here.
"""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

import pair as pairs

NAME = "barman"
STARTS_SECONDS = 30
QUERY = f"""
SELECT json_build_object(
  'status', coalesce(s.wal_status, CASE WHEN s.slot_name IS NULL THEN 'missing' ELSE 'unused' END),
  'streaming', coalesce(s.active, false) AND r.pid IS NOT NULL,
  'behind', greatest(pg_wal_lsn_diff(now.lsn, coalesce(r.sent_lsn, s.restart_lsn)), 0),
  'kept', pg_wal_lsn_diff(now.lsn, s.restart_lsn),
  'limit', (SELECT setting::bigint * 1048576 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
  'segment', pg_walfile_name(now.lsn), 'lsn', now.lsn)
FROM (SELECT pg_current_wal_insert_lsn() AS lsn) AS now
LEFT JOIN pg_replication_slots AS s ON s.slot_name = '{NAME}'
LEFT JOIN pg_stat_replication AS r ON r.pid = s.active_pid
"""


@dataclass(frozen=True)
class Slot:
    """How the place is now.

    `status`: PostgreSQL's wal_status, or `missing` (no such slot), or `unused` (never streamed from).
    Sizes are bytes: `behind` not sent to us yet, `kept` held back on the M EMS server for us (None: nothing),
    `limit` the most that it keeps (negative: no limit). `segment` and `lsn` are where it writes now.
    """

    status: str
    streaming: bool
    behind: int | None
    kept: int | None
    limit: int
    segment: str
    lsn: str


def read(pair: pairs.Pair) -> Slot:
    """Trouble when PostgreSQL does not answer."""
    return Slot(**json.loads(pairs.query(pair, QUERY)))


def broken(slot: Slot) -> str:
    """Why nothing can be received from this place any more, in words; empty when it can."""
    if slot.status == "lost":
        return "the backup server was away for longer than max_slot_wal_keep_size allows: its place is lost"
    if slot.status == "missing":
        return "the M EMS server has no replication slot for the backup server"
    return ""


def alarm(slot: Slot) -> str:
    """What somebody should look at before the place is lost, in words; empty when all is well."""
    kept, limit = _mib(slot.kept), _mib(slot.limit)
    if slot.status == "unreserved":
        return f"the place is about to be lost: {kept} MiB wait on the M EMS server, it keeps {limit} MiB"
    if slot.status == "extended":
        return f"{kept} MiB wait on the M EMS server, more than usual; at {limit} MiB the place is lost"
    if slot.kept is not None and 0 < slot.limit < 2 * slot.kept:
        return f"{kept} MiB wait on the M EMS server; at {limit} MiB the place is lost"
    return ""


def ensure(pair: pairs.Pair) -> pairs.Record | None:
    """Make sure that changes are received: what had to be repaired is repaired, and the gap returned.

    A place that can still be gone on from is gone on from, without a gap. Trouble when nothing helps.
    """
    slot = read(pair)
    if slot.streaming:
        return None
    if slot.status != "lost" and _streams(pair):
        return None
    return _begin_anew(pair)


def _streams(pair: pairs.Pair) -> bool:
    """Wait until the unit barman-wal@, which tries again and again, receives."""
    until = time.monotonic() + STARTS_SECONDS
    while not (slot := read(pair)).streaming:
        if slot.status == "lost" or time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def _begin_anew(pair: pairs.Pair) -> pairs.Record:
    """Give up the old place, take a new one where the M EMS server writes now; the gap, which is kept.

    The gap is written before the old place is given up: a kill in between repeats this, and forgets nothing.
    """
    why = broken(read(pair)) or "the M EMS server no longer has the changes that come next"
    gap = {"at": pairs.now(), "why": why, "after": last_received(pair), "since": _received_at(pair)}
    pairs.append_line(pair.folder / "gaps.jsonl", gap)
    pairs.barman("archive-wal", pair.server)
    until = time.monotonic() + STARTS_SECONDS
    while True:
        # The unit goes on trying; between its attempts nothing holds Barman's lock.
        try:
            if read(pair).status != "missing":
                pairs.barman("receive-wal", "--drop-slot", pair.server, seconds=60)
            pairs.barman("receive-wal", "--reset", pair.server, seconds=60)
            break
        except pairs.Trouble:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
    if not _streams(pair):
        raise pairs.Trouble(
            f"{pair.server}: nothing comes from the new place either: journalctl -u barman-wal@{pair.server}"
        )
    return gap


def close_segment(pair: pairs.Pair, seconds: float = 60) -> None:
    """Have the M EMS server close its WAL segment, and wait until that is archived here: the way is proven.

    Barman archives a segment when the next one has begun, which a quiet server lets wait for 15 s (its own
    switch-wal --archive waits for that): a restore point begins it at once. Trouble when it does not come.
    """
    said = pairs.barman("switch-wal", "--force", pair.server)
    closed = re.search(r"WAL file ([0-9A-F]{24}) has been closed", said)
    if not closed:
        raise pairs.Trouble(f"{pair.server} closed no WAL segment: {said.strip()}")
    pairs.query(pair, "SELECT pg_create_restore_point('amc-next-segment')")
    path = pair.catalogue / "wals" / closed[1][:16] / closed[1]
    until = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > until:
            words = f"the WAL segment {closed[1]} of {pair.server} did not arrive within {seconds:.0f} s"
            raise pairs.Trouble(f"{words}: journalctl -u barman-wal@{pair.server}")
        time.sleep(0.3)
        pairs.barman("archive-wal", pair.server)


def last_received(pair: pairs.Pair) -> str | None:
    """Name of the newest WAL segment here, complete or not; None without any."""
    names = [path.name.removesuffix(".partial") for path in _segments(pair)]
    return max(names, key=lambda name: (name[:8], name)) if names else None


def _received_at(pair: pairs.Pair) -> str | None:
    """When the newest of them was last written to."""
    times = [path.stat().st_mtime for path in _segments(pair)]
    return pairs.stamp(max(times)) if times else None


def _segments(pair: pairs.Pair) -> list[Path]:
    """Files of WAL, received and archived."""
    found = [*(pair.catalogue / "streaming").glob("*"), *(pair.catalogue / "wals").glob("*/*")]
    return [path for path in found if len(path.name.removesuffix(".partial")) == 24]


def _mib(size: int | None) -> int:
    return (size or 0) >> 20
