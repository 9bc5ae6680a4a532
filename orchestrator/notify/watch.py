"""The worker's watch: it notes that the worker lives, tells what is to be told, and pings a dead-man's switch.

`beat` returns at once: what needs the network happens in a thread of its own, one at a time. Where
AMC_PING_URL names an address (as healthchecks' are: https://host/<secret>), it is asked every PING_SECONDS,
with `/fail` at its end while something is wrong. Silence is then the alarm of whoever waits for it.
"""

import threading
import time
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from orchestrator.notify import ping
from orchestrator.settings import Settings

EVERY_SECONDS = 15.0
LEAVE_SECONDS = 20.0


class _Watch:
    """What this process remembers between two beats."""

    def __init__(self) -> None:
        self.next = 0.0  # monotonic
        self.faults: dict[str, None] = {}
        self.courier: threading.Thread | None = None


_WATCH = _Watch()


def beat(settings: Settings, engine: Engine, now: datetime, faults: Sequence[str] = ()) -> None:
    """Call this as often as you like; it works every EVERY_SECONDS. Raises what the database raises.

    `faults`: what went wrong in the worker since it called last, in words: the next ping says so.
    """
    _WATCH.faults |= dict.fromkeys(faults)
    if time.monotonic() < _WATCH.next:
        return
    _WATCH.next = time.monotonic() + EVERY_SECONDS
    _send(settings, engine, now)


def leave(settings: Settings, engine: Engine, now: datetime) -> None:
    """The worker's last beat: tells what is left to tell, for LEAVE_SECONDS at most."""
    _WATCH.next = 0.0
    beat(settings, engine, now)
    if _WATCH.courier:
        _WATCH.courier.join(LEAVE_SECONDS)


def _send(settings: Settings, _engine: Engine, _now: datetime) -> None:
    if _WATCH.courier and _WATCH.courier.is_alive():
        return
    faults, _WATCH.faults = list(_WATCH.faults), {}
    _WATCH.courier = threading.Thread(target=ping.send, args=(settings, faults), daemon=True)
    _WATCH.courier.start()
