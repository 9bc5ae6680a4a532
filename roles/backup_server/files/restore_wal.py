"""What the backup server holds of a server's WAL, read with PostgreSQL's own pg_waldump.

Whole segments lie in Barman's archive and, until Barman archives them, in its streaming folder; the newest
one grows there as `.partial`. Ends of timelines that a recovery left are kept in the folder `ends`, since
Barman never archives a `.partial`.
"""

import errno
import gzip
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import wal
from restore_choice import History, Received, ancestry

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
RECORD = re.compile(r"len \(rec/tot\): +\d+/ *(\d+), .*?lsn: ([0-9A-F]+/[0-9A-F]+), prev")
PAGE, PAGE_HEADER = 8192, 40  # bytes; a record that crosses pages has a header in between
COMMIT = re.compile(
    r"lsn: ([0-9A-F]+/[0-9A-F]+), prev .* desc: COMMIT(?:_PREPARED)? (?:\S+: )?([0-9-]{10} [0-9:.]+) UTC"
)
GZIP = b"\x1f\x8b"


class Store:
    """The WAL of one server. `home`: Barman's folder of it; `ends`: see the module. Only reads them."""

    def __init__(self, home: Path, ends: Path, segment_bytes: int = wal.SEGMENT_BYTES) -> None:
        self.home, self.ends, self.segment_bytes = home, ends, segment_bytes

    def segments(self) -> dict[wal.Segment, Path]:
        """Every segment -> its file. A whole one goes before a partial one of the same name."""
        found: dict[wal.Segment, Path] = {}
        archived = list((self.home / "wals").glob("*/*"))
        for path in [*archived, *_files(self.home / "streaming"), *_files(self.ends)]:
            name = path.name.removesuffix(".partial")
            if not wal.SEGMENT.fullmatch(name):
                continue
            segment = wal.parse(name, self.segment_bytes)
            there = found.get(segment)
            if there is None or (there.suffix == ".partial" and _is_longer(path, there)):
                found[segment] = path
        return found

    def histories(self) -> dict[int, tuple[History, Path]]:
        """Timeline -> its ancestors, and the history file."""
        found = {}
        for folder in (self.ends, self.home / "streaming", self.home / "wals"):
            for path in _files(folder):
                if match := wal.HISTORY.fullmatch(path.name):
                    found[int(match[1], 16)] = (wal.branches(path.read_text()), path)
        return found

    def way(self, timeline: int, begin: int) -> list[tuple[wal.Segment, Path]]:
        """What replay along the timeline reads from position `begin` on, in order.

        The segment in which an ancestor ends is read from its successor, where that was received.
        """
        histories = {number: ancestors for number, (ancestors, _) in self.histories().items()}
        way = ancestry(timeline, histories)
        chosen: dict[int, tuple[wal.Segment, Path]] = {}
        for segment, path in sorted(self.segments().items()):
            left = way.get(segment.timeline, 0)
            on_it = segment.timeline in way and (left is None or segment.number * self.segment_bytes < left)
            if on_it and segment.number >= begin // self.segment_bytes:
                chosen[segment.number] = (segment, path)
        return [chosen[number] for number in sorted(chosen)]

    def end(self, timeline: int, scratch: Path) -> Received:
        """The end of what was received of the timeline; LookupError when nothing was."""
        way = self.way(timeline, 0)
        while way and _last_byte(way[-1][1]) is None:
            way.pop()  # pg_receivewal fills a new segment with zeros
        if not way:
            raise LookupError(f"no WAL of timeline {timeline} was received")
        # A record may reach from one segment into the next, so both are read in one go; and the last alone,
        # in case that something in the one before it can't be read.
        read = [last_record(self.dump(each, scratch)) for each in (way[-2:], way[-1:])]
        position, end = max((each for each in read if each), default=(0, 0))
        written = way[-1][0].number * self.segment_bytes + (_last_byte(way[-1][1]) or 0)
        if written > end:
            position = written  # there is more, which can't be read: replay won't reach it, and that is said
        return Received(timeline, position, self.last_commit(way, scratch))

    def last_commit(self, way: list[tuple[wal.Segment, Path]], scratch: Path) -> datetime | None:
        """When the last commit of these segments was; None when there is none."""
        for each in reversed(way):
            if commits := commits_of(self.dump([each], scratch)):
                return commits[-1][1]
        return None

    def after(
        self, moment: datetime, way: list[tuple[wal.Segment, Path]], scratch: Path
    ) -> list[tuple[int, datetime]]:
        """Commits (position, time) after the moment; read from the end until one before it is met."""
        found: list[tuple[int, datetime]] = []
        for each in reversed(way):
            commits = commits_of(self.dump([each], scratch))
            found = [commit for commit in commits if commit[1] > moment] + found
            if any(time <= moment for _, time in commits):
                break
        return found

    def dump(self, pieces: list[tuple[wal.Segment, Path]], scratch: Path) -> Iterator[str]:
        """pg_waldump's lines over neighbouring segments; it ends at the first thing that is no record."""
        lay_out(pieces, scratch, self.segment_bytes)
        names = [segment.name(self.segment_bytes) for segment, _ in pieces]
        first, last = names[0], names[-1]
        command = [PROGRAMS / "pg_waldump", f"--path={scratch}", first, *([last] if last != first else [])]
        done = subprocess.run(
            command, capture_output=True, check=False, env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        )
        yield from done.stdout.decode(errors="replace").splitlines()


def lay_out(pieces: Iterable[tuple[wal.Segment, Path]], folder: Path, segment_bytes: int) -> None:
    """Links and copies under the names that PostgreSQL asks for, in an empty folder.

    FileNotFoundError when one was renamed meanwhile. Hard links, since what is still received will be
    renamed; the newest one grows and is copied.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for segment, path in pieces:
        target = folder / segment.name(segment_bytes)
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        if packed:
            with gzip.open(path) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
        elif path.suffix == ".partial":
            shutil.copyfile(path, target)
        else:
            try:
                os.link(path, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                shutil.copyfile(path, target)


def last_record(lines: Iterable[str]) -> tuple[int, int] | None:
    """Where the last record of pg_waldump's lines begins, and a position that its end is not beyond."""
    found = None
    for line in lines:
        if match := RECORD.search(line):
            found = match
    if not found:
        return None
    begin, size = wal.position(found[2]), int(found[1])
    return begin, begin + size + PAGE_HEADER * (2 + size // PAGE)


def commits_of(lines: Iterable[str]) -> list[tuple[int, datetime]]:
    """Commits of pg_waldump's lines: (position, time)."""
    return [
        (wal.position(match[1]), datetime.fromisoformat(match[2]).replace(tzinfo=UTC))
        for line in lines
        if (match := COMMIT.search(line))
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _last_byte(path: Path) -> int | None:
    """Where the last byte stands that is not zero; None in an empty segment."""
    content = path.read_bytes()
    if content[:2] == GZIP:
        content = gzip.decompress(content)
    kept = len(content.rstrip(b"\0"))
    return kept - 1 if kept else None


def _is_longer(path: Path, there: Path) -> bool:
    """Of two files of one segment the whole one; of two partial ones the one written last."""
    return path.suffix != ".partial" or path.stat().st_mtime > there.stat().st_mtime
