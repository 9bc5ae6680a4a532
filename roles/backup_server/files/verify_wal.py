"""Verification of the archived WAL: is a segment missing, and does PostgreSQL's own reader read each of them?

No command of Barman reads archived WAL: a byte that flipped would be found by the recovery that ends there.
What was read well is remembered by name, size and time of change.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pair as pairs
import wal
from finding import Finding

READ_SECONDS = 3600


@dataclass(frozen=True)
class Archive:
    """What lies in the catalogue. `files` are the archived segments, `received` all that are here."""

    files: dict[wal.Segment, Path]
    received: set[wal.Segment]
    histories: dict[int, list[tuple[int, int]]]
    listed: set[wal.Segment]  # in Barman's own list of what it archived
    size: int


def read(catalogue: Path, extra: Path) -> Archive:
    """Look into Barman's folder; `extra` holds ends of timelines that recoveries kept."""
    files: dict[wal.Segment, Path] = {}
    archived = list((catalogue / "wals").glob("[0-9A-F]*/*"))  # histories lie beside the folders
    size = max((path.stat().st_size for path in archived if wal.SEGMENT.fullmatch(path.name)), default=0)
    size = size if size in [1 << power for power in range(20, 31)] else wal.SEGMENT_BYTES
    for path in archived:
        if wal.SEGMENT.fullmatch(path.name):
            files[wal.parse(path.name, size)] = path
    received = set(files)
    for folder in (catalogue / "streaming", extra):
        for path in folder.iterdir() if folder.is_dir() else []:
            with contextlib.suppress(ValueError):
                received.add(wal.parse(path.name.removesuffix(".partial"), size))
    histories = {}
    for path in (catalogue / "wals").glob("*.history"):
        histories[int(path.name[:8], 16)] = wal.branches(path.read_text(errors="replace"))
    listed = set()
    for path in (catalogue / "wals").glob("*xlog.db"):
        for line in path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, IndexError):
                listed.add(wal.parse(line.split()[0], size))
    return Archive(files, received, histories, listed, size)


def missing(
    archive: Archive, backups: list[wal.Backup], gaps: list[pairs.Record], again: str
) -> Iterator[Finding]:
    """Segments that a recovery would ask for and that are nowhere. `gaps`: those known from a lost slot."""
    needed = wal.needed(backups, archive.received, archive.histories, archive.size)
    lowest: dict[int, int] = {}
    for segment in needed:
        lowest[segment.timeline] = min(segment.number, lowest.get(segment.timeline, segment.number))
    listed = {each for each in archive.listed if each.number >= lowest.get(each.timeline, each.number + 1)}
    absent = (needed | listed) - archive.received
    for first, last in wal.spans(absent):
        names = _names(first, last, archive.size)
        torn = [
            each
            for each in backups
            if each.timeline == first.timeline and each.begin <= last.number and first.number <= each.end
        ]
        for backup in torn:
            yield Finding(
                "wal-missing",
                f"the base backup {backup.id} lacks WAL: {names} is not here",
                f"make a new backup: {again}",
                backup.id,
            )
        known = any(each.get("after") and each["after"] < last.name(archive.size) for each in gaps)
        after = [each.id for each in backups if each.timeline >= first.timeline and each.begin > last.number]
        if known and after:
            yield Finding(
                "gap",
                f"WAL {names} was lost with the slot: moments in it can't be recovered,"
                f" those after the backup {min(after)} can",
                "nothing; it goes with the retention",
                note=True,
            )
        elif not torn:
            newer = (
                f"; the backup {min(after)} was made after it"
                if after
                else ", and no backup was made after it"
            )
            yield Finding(
                "gap",
                f"WAL {names} is missing: a recovery ends before it{newer}",
                "look for the file in a copy of wals/; without it make a new backup, from which on all"
                f" moments can be recovered: {again}",
            )


def lost_histories(archive: Archive) -> Iterator[Finding]:
    """Timelines whose history file is gone: recovery could not find its way to them."""
    for timeline in sorted({each.timeline for each in archive.received} - {1} - set(archive.histories)):
        yield Finding(
            "history",
            f"the history of timeline {timeline} is missing: {timeline:08X}.history",
            "copy it from pg_wal of the M EMS server into Barman's folder wals/, or make a new backup",
        )


def unreadable(
    archive: Archive, proven: wal.Proven, turn: int | None
) -> tuple[dict[wal.Segment, str], wal.Proven]:
    """Read what is not proven yet; the damaged segments with the reader's complaint, and what is proven now.

    `turn` (0-6) has a seventh of the others read again; None reads all.
    """
    kept: wal.Proven = {}
    for segment, path in archive.files.items():
        known = proven.get(path.name)
        again = turn is None or segment.number % 7 == turn
        if known and known == _state(path) and not again:
            kept[path.name] = known
    todo = {segment for segment, path in archive.files.items() if path.name not in kept}
    damaged: dict[wal.Segment, str] = {}
    with tempfile.TemporaryDirectory(prefix="amc-wal-") as name:
        folder = Path(name)
        for path in archive.files.values():
            (folder / path.name).symlink_to(path)
        for first, last in wal.to_read(archive.files, todo):
            damaged |= _read_stretch(folder, first, last, archive.size)
    for segment in damaged:
        kept.pop(archive.files[segment].name, None)
    for segment in todo - damaged.keys():
        kept[archive.files[segment].name] = _state(archive.files[segment])
    return damaged, kept


def _read_stretch(folder: Path, first: wal.Segment, last: wal.Segment, size: int) -> dict[wal.Segment, str]:
    """The damaged segments of a stretch. After one the reading goes on with the next."""
    damaged: dict[wal.Segment, str] = {}
    while first.number <= last.number:
        command = [
            str(pairs.POSTGRESQL / "pg_waldump"),
            "-q",
            "-p",
            str(folder),
            first.name(size),
            last.name(size),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=READ_SECONDS, check=False, cwd="/"
        )
        if done.returncode == 0:
            break
        complaint = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        segment = wal.blamed(complaint, first, last, size)
        damaged[segment] = complaint.removeprefix("pg_waldump: error: ")
        first = wal.Segment(segment.timeline, segment.number + 1)
    return damaged


def damage(
    damaged: dict[wal.Segment, str], backups: list[wal.Backup], size: int, again: str
) -> Iterator[Finding]:
    """In words: which base backups can't be restored, and where recovery from the others would end."""
    for segment, complaint in sorted(damaged.items()):
        name = segment.name(size)
        torn = [
            each
            for each in backups
            if each.timeline == segment.timeline and each.begin <= segment.number <= each.end
        ]
        for backup in torn:
            yield Finding(
                "wal-damaged",
                f"the base backup {backup.id} needs the WAL {name}, which is damaged: {complaint}",
                f"make a new backup: {again}",
                backup.id,
            )
        if not torn:
            yield Finding(
                "wal-damaged",
                f"the WAL {name} is damaged, a recovery ends in it: {complaint}",
                f"make a new backup, from which on all moments can be recovered: {again}",
            )


def _names(first: wal.Segment, last: wal.Segment, size: int) -> str:
    return first.name(size) if first == last else f"{first.name(size)} to {last.name(size)}"


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def of_catalogue(infos: Iterable[str], size: int) -> list[wal.Backup]:
    """Base backups, from the texts of Barman's backup.info that are whole."""
    found = []
    for info in infos:
        field = dict(line.split("=", 1) for line in info.splitlines() if "=" in line)
        if field.get("status") == "DONE":
            begin, end = wal.parse(field["begin_wal"], size), wal.parse(field["end_wal"], size)
            found.append(wal.Backup(field["id"], begin.timeline, begin.number, end.number))
    return found
