"""A heart that beats into a file while a run's process works: the controller's part of its effort."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from orchestrator.runs.evidence import write_json

BEAT_SECONDS = 5.0


class Heart:
    """Writes [[start, last beat], ...]: a kill loses BEAT_SECONDS at most.

    When the machine slept (a beat came three beats late), a new interval begins: sleep is no effort.
    """

    def __init__(self, path: Path, every: float = BEAT_SECONDS) -> None:
        self.path = path
        self.every = every
        self.intervals: list[list[datetime]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def beat(self, at: datetime) -> None:
        """Note that the process lives."""
        late = not self.intervals or (at - self.intervals[-1][1]).total_seconds() > 3 * self.every
        if late:
            self.intervals.append([at, at])
        self.intervals[-1][1] = at
        write_json(self.path, [[moment.isoformat() for moment in pair] for pair in self.intervals])

    def __enter__(self) -> "Heart":
        """Beat, and go on beating in a thread."""
        self.beat(datetime.now(UTC))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop with a last beat."""
        self._stop.set()
        self._thread.join()
        self.beat(datetime.now(UTC))

    def _run(self) -> None:
        due = time.monotonic() + self.every
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = time.monotonic() + self.every
            self.beat(datetime.now(UTC))
