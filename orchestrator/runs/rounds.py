"""What a worker does besides running: again and again it asks each of these whether something is due.

One worker makes the rounds, on PostgreSQL one of them all. A fault of one of them is told once a minute, and
keeps neither the others nor the runs from going on.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Engine

from orchestrator.errors import AmcError
from orchestrator.runs import hand, planning, waiting
from orchestrator.runs.placing import Enqueue
from orchestrator.settings import Settings

EVERY_SECONDS = 30.0
FAULT_TOLD_SECONDS = 60.0
Duty = Callable[[datetime], Sequence[str] | None]
"""What is due at this time: does it, and says what it did."""


class Watch(Protocol):
    """Whoever has to know that the worker lives, and of its faults: notify/watch.py."""

    def beat(self, settings: Settings, engine: Engine, now: datetime, faults: Sequence[str] = ()) -> None:
        """The worker lives; asked all the time."""

    def leave(self, settings: Settings, engine: Engine, now: datetime) -> None:
        """The worker ends."""


class Rounds:
    """The rounds of one worker; `say` tells what was done. `plans`: it orders what the schedule wants."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        enqueue: Enqueue,
        say: Callable[[str], None],
        watch: Watch,
        *,
        plans: bool,
    ) -> None:
        self._settings, self._engine, self._enqueue, self._say = settings, engine, enqueue, say
        self._watch, self._plans = watch, plans
        self._faults: list[str] = []
        self._due = 0.0
        self._leads = False
        self._told: dict[str, float] = {}

    def make(self, is_leader: Callable[[], bool]) -> None:
        """Ask each, when EVERY_SECONDS have passed and this worker is the one to do it."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY_SECONDS
            self._leads = is_leader()
            for name, duty in self._duties().items() if self._leads else ():
                self._do(name, duty)
        if self._leads:  # another's ping would say that all is well while this one's duties fail
            self._do("watch", self._beat)

    def leave(self) -> None:
        """The worker ends."""
        self._do("watch", lambda now: self._watch.leave(self._settings, self._engine, now))

    def _duties(self) -> dict[str, Duty]:
        settings, engine, enqueue = self._settings, self._engine, self._enqueue
        found: dict[str, Duty] = {
            "by hand": lambda now: hand.settle_silent(settings, engine, now),
            "release": lambda now: waiting.release(engine, now, enqueue),
        }
        if self._plans:
            found["plan ahead"] = lambda now: planning.plan_ahead(settings, engine, now, enqueue)
        return found

    def _beat(self, now: datetime) -> None:
        faults, self._faults = self._faults, []
        self._watch.beat(self._settings, self._engine, now, faults)

    def _do(self, name: str, duty: Duty) -> None:
        try:
            for line in duty(datetime.now(UTC)) or ():
                self._say(line)
        except Exception as error:
            self._tell(name, error)

    def _tell(self, name: str, error: Exception) -> None:
        if time.monotonic() - self._told.get(name, -FAULT_TOLD_SECONDS) >= FAULT_TOLD_SECONDS:
            self._told[name] = time.monotonic()
            words = str(error) if isinstance(error, AmcError) else f"{type(error).__name__}: {error}"
            self._say(f"{name}: {words}")
            self._faults.append(f"{name}: {words}")
