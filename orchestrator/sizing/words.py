"""Numbers as sentences say them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

MIB = 1024**2
GIB = 1024**3


def cpus(count: float) -> str:
    """`0.5 CPUs`, `1 CPU`, `1.34 CPUs`."""
    shown = f"{count:.2f}".rstrip("0").rstrip(".")
    return f"{shown} CPU" if shown == "1" else f"{shown} CPUs"


def mib(size: float) -> str:
    """MiB: `2,048 MiB`."""
    return f"{size:,.0f} MiB"


def gib(size: float) -> str:
    """Bytes as `11.3 GiB`."""
    return f"{size / GIB:.1f} GiB"


def percent(share: float) -> str:
    """A share of 1 as `30 %`."""
    return f"{share * 100:.3g} %"


def seconds(duration: float) -> str:
    """`120 ms`, `1.25 s`."""
    return f"{duration * 1000:.0f} ms" if duration < 1 else f"{duration:.2f} s"


def clock(at: datetime, zone: ZoneInfo) -> str:
    """A time on the customer's clock, to the minute."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def day(at: datetime | date, zone: ZoneInfo) -> str:
    """A day on the customer's calendar."""
    return f"{at.astimezone(zone) if isinstance(at, datetime) else at:%Y-%m-%d}"


def money(usd: float) -> str:
    """`17.52 USD`."""
    return f"{usd:,.2f} USD"


def many(count: int, noun: str) -> str:
    """`1 day`, `7 days`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
