"""Users' requests, from the log that nginx writes for this (see amc-monitor.conf): how many, how fast.

A line is `<status> <seconds>`; the service check's own requests are not in it, nor long polls, which wait on
purpose. Read when somebody asks: nothing is kept but the sums, and counting begins with the program.
"""

import os
from collections import Counter
from pathlib import Path
from typing import BinaryIO

from exposition import Family

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0)
ALWAYS = ("200", "500", "502", "503", "504")  # a counter that begins with its first error shows no increase
CHUNK = 1 << 20


class Requests:
    """The sums since the program began, of the log at `path`, which need not exist and may be rotated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.statuses: Counter[str] = Counter(dict.fromkeys(ALWAYS, 0))
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self._file: BinaryIO | None = None
        self._rest = b""
        if (found := self._open()) is not None:
            found.seek(0, os.SEEK_END)  # what was before is not counted twice
            self._file = found

    def families(self) -> list[Family]:
        """Counted up to now."""
        self._read()
        requests = Family("mems_requests_total", "counter", "Requests of users, by HTTP status.")
        for status, count in sorted(self.statuses.items()):
            requests.add(count, status=status)
        took = Family(
            "mems_request_duration_seconds", "histogram", "Time until the answer was sent, by nginx."
        )
        total = 0
        for bound, count in zip((*(f"{each:g}" for each in BUCKETS), "+Inf"), self.counts, strict=True):
            total += count
            took.add(total, "_bucket", le=bound)
        return [requests, took.add(self.seconds, "_sum").add(total, "_count")]

    def _open(self) -> BinaryIO | None:
        try:
            return self.path.open("rb")
        except OSError:
            return None

    def _read(self) -> None:
        """The rest of the open file; then, when another one has taken its name, all of that."""
        if self._file is not None:
            self._count(self._file)
        newest = self._open()
        if newest is None:
            return
        if self._file is not None and os.path.sameopenfile(self._file.fileno(), newest.fileno()):
            newest.close()
            if os.fstat(self._file.fileno()).st_size < self._file.tell():  # cut short in place
                self._file.seek(0)
                self._rest = b""
                self._count(self._file)
            return
        if self._file is not None:
            self._file.close()
        self._file, self._rest = newest, b""
        self._count(newest)

    def _count(self, file: BinaryIO) -> None:
        while chunk := file.read(CHUNK):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._one(line)

    def _one(self, line: bytes) -> None:
        status, _, took = line.decode("ascii", "replace").partition(" ")
        try:
            seconds = float(took)
        except ValueError:  # torn by a full disk
            return
        if not (len(status) == 3 and status.isdigit()):
            return
        self.statuses[status] += 1
        self.seconds += seconds
        self.counts[next((at for at, bound in enumerate(BUCKETS) if seconds <= bound), len(BUCKETS))] += 1
