"""The numbers that sizing turns on, each with its reason; docs/sizing.md explains the formulas."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Margins:
    """Shares are of capacity (0 to 1). A share of 0.7 leaves 30 % headroom."""

    # CPU: how full the CPUs may be, the rarer the fuller.
    typical_use: float = 0.70  # 95 % of the hours
    month_end_use: float = 0.80
    rare_use: float = 0.85  # 99.5 % of the hours
    now_use: float = 0.80  # the load of now, when it saturates the server
    sustained_use: float = 0.90  # a burstable type's baseline, over a whole day
    # An ERP's week has five busy days: the VPA's 24 hours would have forgotten them on Sunday.
    typical_half_life: timedelta = timedelta(days=14)
    rare_half_life: timedelta = timedelta(days=28)
    # Saturation: used up, and tasks wait. Measured use can't exceed the capacity, so demand is inferred.
    saturated_use: float = 0.90
    saturated_waiting: float = 0.20
    acute_for: timedelta = timedelta(minutes=5)
    response_s: float = 0.300

    memory_use: float = 0.85
    memory_waiting: float = 0.10
    oom_raise: float = 1.20  # what the VPA adds after a kill, at least oom_raise_mib
    oom_raise_mib: int = 100

    least: timedelta = timedelta(days=7)  # below this nothing is said
    down_after: timedelta = timedelta(days=28)  # of data, and since the last growth
    down_room: float = 1.15  # a smaller size must carry this much more than the need
    stale_after: timedelta = timedelta(hours=6)

    disk_window: timedelta = timedelta(days=90)
    disk_warn: timedelta = timedelta(days=90)  # full earlier than this: recommend more
    disk_last: timedelta = timedelta(days=180)  # what is recommended lasts this long …
    disk_use: float = 0.80  # … and is then this full


@dataclass(frozen=True)
class Moment:
    """When a load is judged (UTC), by which margins, and on whose clock that is told."""

    now: datetime
    zone: ZoneInfo
    margins: Margins = field(default_factory=Margins)
