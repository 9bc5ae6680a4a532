"""Is an M EMS server protected: would all that it has committed survive it? And since when, and why not?

protection.json holds the answer: {"state": "protected" | "unprotected", "since", "why"}. backup.py and a
recovery write it, and watch.py, every minute, what it sees: that carries "by": "watch", and goes by itself
when the reason is gone. Unprotected by a recovery stays until the next backup.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pair as pairs
import slot as slots


def records(pair: pairs.Pair) -> list[pairs.Record]:
    """Backups whose base backup is whole, oldest first, without those that verification found bad."""
    bad = pairs.read_json(pair.folder / "bad_backups.json") or {}
    kept = {path.name for path in (pair.catalogue / "base").glob("*")}
    there = pairs.read_lines(pair.folder / "backups.jsonl")
    return [each for each in there if each.get("id") in kept and each["id"] not in bad]


def reasons(
    *,
    backups: Sequence[pairs.Record],
    gaps: Sequence[pairs.Record],
    slot: slots.Slot | None,
    seen: datetime | None,
    moment: datetime,
    rpo_seconds: int,
) -> list[str]:
    """Why it is not protected at `moment`, in words; empty when it is.

    `slot` is None when the M EMS server does not answer; `seen` is when changes were last seen to come in,
    None when they never were.
    """
    found = []
    if not backups:
        found.append("there is no base backup that can be restored")
    elif gaps and gaps[-1]["at"] > backups[-1]["ended"]:
        found.append(
            f"changes are missing since {gaps[-1]['since']}, and no backup was made after: {gaps[-1]['why']}"
        )
    if slot is not None and slots.broken(slot):
        found.append(slots.broken(slot))
    elif seen is None or moment - seen > timedelta(seconds=rpo_seconds):
        why = "the M EMS server does not answer" if slot is None else "nothing receives them"
        since = "of this server" if seen is None else f"since {seen.isoformat(timespec='seconds')}"
        found.append(f"changes {since} are not here: {why}")
    return found


def settle(pair: pairs.Pair, why: Sequence[str]) -> pairs.Record:
    """Write down what was seen; the state that holds now. Somebody else's "unprotected" is left alone."""
    path = pair.folder / "protection.json"
    before: pairs.Record = pairs.read_json(path) or {}
    if before.get("state") == "unprotected" and before.get("by") != "watch":
        return before
    state = "unprotected" if why else "protected"
    now: pairs.Record = {"state": state, "since": pairs.now(), "why": "; ".join(why), "by": "watch"}
    if before.get("state") == state:
        now["since"] = before["since"]
    if {**before, "by": "watch"} != now:
        pairs.write_json(path, now)
    return now


def backed_up(pair: pairs.Pair) -> None:
    """A base backup is whole and changes come in: protected, whoever said otherwise before."""
    before: pairs.Record = pairs.read_json(pair.folder / "protection.json") or {}
    if before.get("state") != "protected":
        now = {"state": "protected", "since": pairs.now(), "why": "", "by": "backup"}
        pairs.write_json(pair.folder / "protection.json", now)


def look(pair: pairs.Pair) -> tuple[slots.Slot | None, str]:
    """The slot now, or None and why the M EMS server does not answer."""
    try:
        return slots.read(pair), ""
    except pairs.Trouble as trouble:
        return None, str(trouble)


def gaps(pair: pairs.Pair) -> list[pairs.Record]:
    """Gaps in what could still be recovered: those since the oldest backup that is kept."""
    kept = records(pair)
    listed = pairs.read_lines(pair.folder / "gaps.jsonl")
    return [gap for gap in listed if not kept or gap["at"] > kept[0]["started"]]


def last_seen(pair: pairs.Pair) -> datetime | None:
    """When changes were last seen to come in, by watch.py."""
    kept = pairs.read_json(pair.folder / "watch.json") or {}
    seen = kept.get("seen")
    return datetime.fromisoformat(seen) if seen else None


def judge(pair: pairs.Pair, slot: slots.Slot | None) -> list[str]:
    """`reasons` for what is on this server's disk now."""
    moment = datetime.now(UTC)
    seen = moment if slot is not None and slot.streaming else last_seen(pair)
    return reasons(
        backups=records(pair),
        gaps=gaps(pair),
        slot=slot,
        seen=seen,
        moment=moment,
        rpo_seconds=pair.known["rpo_seconds"],
    )
