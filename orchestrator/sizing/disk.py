"""When a server's disk is full, and how large it should be."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from typing import NamedTuple

from orchestrator.sizing import words
from orchestrator.sizing.load import DAY, HOUR, Hourly, between, days_of
from orchestrator.sizing.margins import Margins, Moment
from orchestrator.sizing.trend import Trend, theil_sen

_NEVER = timedelta(days=3650)  # later than this is no date


@dataclass(frozen=True)
class Disk:
    """Sizes in GiB. `full_on` is None when no growth can be told from noise, or it lasts ten years.

    `earliest` and `latest` enclose it with 95 % confidence; `latest` None: perhaps never.
    """

    used_gib: float
    size_gib: float
    full_on: date | None
    earliest: date | None
    latest: date | None
    gib_per_day: float | None
    recommended_gib: int | None
    reason: str


class _Fill(NamedTuple):
    """Now, in GiB; `declared` is the inventory's size of the whole disk."""

    used: float
    size: float
    declared: int | None

    def __str__(self) -> str:
        return f"disk: {self.used:.1f} of {self.size:.1f} GiB are used"

    def enough_for(self, used: float, share: float) -> int:
        """Whole GiB of a disk that `used` fills to `share`, more than now; a file system takes its part."""
        present = self.declared if self.declared is not None else ceil(self.size)
        return max(present + 1, ceil(used / share + max(0.0, present - self.size)))


def disk_need(hourly: Hourly, declared_gib: int | None, moment: Moment) -> Disk | None:
    """The disk's trend over its days' highest values; None without data. From 7 days on there is a date.

    `declared_gib` is the inventory's size, from which the recommendation grows; it never shrinks.
    """
    if not hourly.disk_used or not hourly.disk_size:
        return None
    now, margins = moment.now, moment.margins
    used, size = hourly.disk_used[-1].value / words.GIB, hourly.disk_size[-1].value / words.GIB
    fill = _Fill(used, size, declared_gib)
    highest = (
        max(points, key=lambda point: point.value)
        for _, points in days_of(between(hourly.disk_used, now - margins.disk_window, now))
    )
    daily = [((point.at - now) / DAY, point.value / words.GIB) for point in highest]
    if len(daily) < margins.least / DAY or now - hourly.disk_used[0].at < margins.least - HOUR:
        days = words.many(len(daily), "day")
        return Disk(used, size, None, None, None, None, None, f"{fill}; {days} give no date yet")
    trend = theil_sen(daily)
    return _growing(fill, trend, moment) if trend.low > 0 else _steady(fill, margins)


def _growing(fill: _Fill, trend: Trend, moment: Moment) -> Disk:
    margins = moment.margins
    full, earliest, latest = (
        _full_on(slope, trend.level, fill.size, moment.now) for slope in (trend.slope, trend.high, trend.low)
    )
    told = [f"{fill} and grow by {trend.slope * 1024:,.0f} MiB a day", _date_words(full, earliest, latest)]
    wanted = None
    # The steeper end of the interval: too early a warning costs less than a full disk.
    if earliest and earliest <= (moment.now + margins.disk_warn).date():
        days = margins.disk_last.days
        wanted = fill.enough_for(max(fill.used, trend.level) + trend.high * days, margins.disk_use)
        told.append(f"{wanted} GiB would be {words.percent(margins.disk_use)} full in {days} days")
    return Disk(fill.used, fill.size, full, earliest, latest, trend.slope, wanted, "; ".join(told))


def _steady(fill: _Fill, margins: Margins) -> Disk:
    told, wanted = [f"{fill}", "no growth can be told from noise"], None
    if fill.used > (1 + margins.disk_use) / 2 * fill.size:
        wanted = fill.enough_for(fill.used, margins.disk_use)
        told.append(f"{wanted} GiB would be {words.percent(margins.disk_use)} full")
    return Disk(fill.used, fill.size, None, None, None, 0.0, wanted, "; ".join(told))


def _full_on(slope: float, level: float, size: float, now: datetime) -> date | None:
    """The day on which a line through today's level reaches the size; None beyond ten years."""
    days = max(0.0, (size - level) / slope)
    return None if days > _NEVER / DAY else (now + timedelta(days=days)).date()


def _date_words(full: date | None, earliest: date | None, latest: date | None) -> str:
    if earliest is None:
        return "it lasts for more than ten years"
    until = f"between {earliest} and {latest}" if latest else f"not before {earliest}"
    return f"full on {full} ({until}, 95 % confidence)" if full else f"full {until} (95 % confidence)"
