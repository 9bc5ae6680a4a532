"""The plan of a recovery: which backup, timeline and files, how much must be copied, and what will be lost.

Asked again for a run whose plan was fixed, it is the same plan: an interrupted recovery goes on as it began.
"""

import argparse
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pair as pairs
import repository
import restore_choice as choice
import restore_wal
import wal

Plan = dict[str, Any]


def folder_of(pair: pairs.Pair, run: str) -> Path:
    """What the backup server keeps of one recovery while it runs."""
    return pair.folder / "restore" / run


def store_of(pair: pairs.Pair) -> restore_wal.Store:
    """The server's WAL."""
    return restore_wal.Store(pair.catalogue, pair.folder / "ends")


def base_backups(catalogue: Path) -> list[choice.BaseBackup]:
    """Barman's whole base backups. Its own command takes half a second for each of them."""
    found = []
    for info in [*catalogue.glob("meta/*-backup.info"), *catalogue.glob("base/*/backup.info")]:
        name = info.name.removesuffix("-backup.info") if info.parent.name == "meta" else info.parent.name
        backup = choice.read_backup(info.read_text(), name)
        if backup and (catalogue / "base" / name / "data").is_dir():
            found.append(backup)
    return found


def make(pair: pairs.Pair, asked: argparse.Namespace) -> Plan:
    """The plan as things are now. NoChoice or Trouble when there is no way, in words."""
    plan: Plan = {"server": pair.server, "run": asked.run, "only": asked.only, "made": pairs.now()}
    plan["attachment"] = asked.attachment
    target = _target(asked)
    plan["target"] = {"time": target.time.isoformat() if target.time else None, "mark": target.mark}
    moment = target.time
    if asked.only in ("", "database"):
        moment = _database(pair, asked, target, plan)
    else:
        plan["words"] = []
    if asked.only != "database":
        _files(pair, asked, plan, moment)
    done = [
        each for each in pairs.read_lines(pair.folder / "recovery_times.jsonl") if each["only"] == asked.only
    ]
    plan["last_time"] = done[-1] if done else None
    plan["words"] += [_last_time(plan["last_time"])]
    return plan


def _target(asked: argparse.Namespace) -> choice.Target:
    if asked.mark:
        return choice.Target(mark=asked.mark)
    if not asked.to:
        return choice.Target()
    try:
        time = datetime.fromisoformat(asked.to)
    except ValueError:
        raise pairs.Trouble(f"{asked.to!r} is no time: write it as 2026-03-01 14:32:10+04:00") from None
    if time.tzinfo is None:
        raise pairs.Trouble(f"{asked.to} has no offset from UTC: write it as 2026-03-01 14:32:10+04:00")
    if time.timestamp() > datetime.now().astimezone().timestamp():
        raise pairs.Trouble(f"{asked.to} is in the future; leave the time away for the newest state")
    return choice.Target(time=time)


def _marked(pair: pairs.Pair, name: str) -> dict[str, Any]:
    for mark in reversed(pairs.read_lines(pair.folder / "marks.jsonl")):
        if mark.get("restore_point") == name:
            return mark
    raise pairs.Trouble(f"{pair.server} has no mark {name}: marks.jsonl lists them")


def _database(
    pair: pairs.Pair, asked: argparse.Namespace, target: choice.Target, plan: Plan
) -> datetime | None:
    """Fill in the database's part; the moment that the files must be of."""
    store, scratch = store_of(pair), folder_of(pair, asked.run or "look") / "look"
    try:
        mark = _marked(pair, target.mark) if target.mark else None
        moment = datetime.fromisoformat(mark["at"]) if mark else target.time
        timeline = int(mark["timeline"]) if mark else _timeline(pair, store, moment)
        received = store.end(timeline, scratch)
        found = _candidates(pair, store, timeline, moment)
        to_end = choice.ends_where_received(target, received)
        way, missing = unbroken(store.way(timeline, found[0].begin), found[0].begin // found[0].segment_bytes)
        after = store.after(moment, way, scratch) if moment and not to_end else []
        if missing and (to_end or not after):
            raise choice.NoChoice(_too_short(store, way, missing, scratch))
    except LookupError as nothing:
        raise choice.NoChoice(f"{nothing}: nothing can be recovered") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    until = after[0][0] if after else received.position
    last = until // found[0].segment_bytes + 1  # the record may end in the next one
    plan |= {
        "candidates": [_backup(each) for each in found],
        "timeline": timeline,
        "to_end": to_end,
        "last_segment": last,
        "received": {
            "lsn": choice.lsn(received.position),
            "time": received.time.isoformat() if received.time else None,
        },
        "lost_commits": len(after),
        "bytes": {
            "database": found[0].size,
            "wal": len([each for each, _ in way if each.number <= last]) * found[0].segment_bytes,
        },
        "words": [
            choice.loss(target, received, len(after), after[0][1] if after else None),
            f"From backup {found[0].id}, complete at {choice.words_of(found[0].ended)}, timeline {timeline}.",
        ],
    }
    return moment


def _timeline(pair: pairs.Pair, store: restore_wal.Store, moment: datetime | None) -> int:
    recoveries = pairs.read_lines(pair.folder / "recoveries.jsonl")
    current = choice.current_timeline(recoveries, {each.timeline for each in store.segments()})
    return choice.timeline_at(moment, recoveries, current) if moment else current


def _candidates(
    pair: pairs.Pair, store: restore_wal.Store, timeline: int, moment: datetime | None
) -> list[choice.BaseBackup]:
    histories = {number: ancestors for number, (ancestors, _) in store.histories().items()}
    bad = pairs.read_json(pair.folder / "bad_backups.json") or {}
    found = choice.candidates(base_backups(pair.catalogue), bad, timeline, histories, moment)
    if any(each.tablespaces for each in found):
        raise choice.NoChoice("the database has tablespaces, which this does not know: recover by hand")
    return found


def unbroken(
    way: list[tuple[wal.Segment, Path]], begin: int
) -> tuple[list[tuple[wal.Segment, Path]], wal.Segment | None]:
    """The way up to the first segment that is missing, and that one; `begin` is the first one's number."""
    for at, (segment, _) in enumerate(way):
        if segment.number != begin + at:
            return way[:at], wal.Segment(segment.timeline, begin + at)
    return way, None


def _too_short(
    store: restore_wal.Store,
    way: list[tuple[wal.Segment, Path]],
    missing: wal.Segment,
    scratch: Path,
) -> str:
    last = store.last_commit(way, scratch) if way else None
    words = f"the WAL segment {missing.name(store.segment_bytes)} is missing: replay can't go beyond it"
    return words + (f". The newest state that can be had is --to '{last.isoformat(sep=' ')}'" if last else "")


def _backup(backup: choice.BaseBackup) -> dict[str, Any]:
    return {
        "id": backup.id,
        "ended": backup.ended.isoformat(),
        "bytes": backup.size,
        "timeline": backup.timeline,
        "begin": backup.begin,
    }


def _files(pair: pairs.Pair, asked: argparse.Namespace, plan: Plan, moment: datetime | None) -> None:
    """Fill in which snapshot of the files is taken."""
    there = repository.snapshots(pair) if (pair.folder / "restic/config").exists() else []
    # A mark has its own: what was attached since is not in its figures.
    own = _marked(pair, asked.mark)["files_snapshot"] if asked.mark else None
    chosen = next((each for each in there if each.id == own), choice.snapshot_for(moment, there))
    name = Path(asked.attachment)
    if asked.only == "attachment" and (not name.parts or name.is_absolute() or ".." in name.parts):
        raise choice.NoChoice(
            f"{asked.attachment!r} is no file of the store: name it as `figures` names missing ones"
        )
    if chosen is None:
        if asked.only:
            raise choice.NoChoice(f"there is no snapshot of the files of {pair.server}")
        plan["words"].append("There is no snapshot of the files: only the database comes back.")
        plan["files"] = None
        return
    # The mirror never shrinks: it is at least what any snapshot holds. restic would take a second to count.
    mirror = ((pairs.read_json(pair.folder / "files.json") or {}).get("store") or {}).get("bytes", 0)
    plan["files"] = {"snapshot": chosen.id, "time": chosen.at.isoformat()}
    plan.setdefault("bytes", {})["files"] = int(mirror)
    late = (
        " (older than that moment: there is no later one)"
        if moment and chosen.at < moment and chosen.id != own
        else ""
    )
    what = f"The attachment {asked.attachment}" if asked.attachment else "Files"
    plan["words"].append(f"{what} from the snapshot of {choice.words_of(chosen.at)}{late}.")


def _last_time(last: pairs.Record | None) -> str:
    if not last:
        return "This server was not recovered before: how long it takes is not known."
    size = f"{last['bytes'] / 1_000_000:.0f} MB"
    return f"The last recovery of this kind, on {last['at']}, took {last['seconds']:.0f} s for {size}."


def fix(pair: pairs.Pair, asked: argparse.Namespace) -> Plan:
    """The plan that this run keeps to, whatever is received later."""
    path = folder_of(pair, asked.run) / "plan.json"
    plan: Plan | None = pairs.read_json(path)
    if plan is None:
        plan = make(pair, asked)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pairs.write_json(path, plan)
    return plan
