"""Hours as people write and read them: 2.5 or 2:30 in, 2:30 out. Pure."""

import re

from orchestrator.errors import UsageError

MOST_HOURS = 10_000  # more than a year has; a slip of the finger, not a purchase


def parse(text: str) -> int:
    """Seconds of "2.5", "2:30" or "2:30:15"; UsageError unless it is a positive number of whole seconds."""
    mend = "give hours as 2.5 or 2:30"
    clock = re.fullmatch(r"([0-9]{1,5}):([0-5][0-9])(?::([0-5][0-9]))?", text.strip(), re.ASCII)
    decimal = re.fullmatch(r"([0-9]{1,5})(?:\.([0-9]{1,9}))?", text.strip(), re.ASCII)
    if clock:
        seconds = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
    elif decimal:
        digits = decimal[2] or ""
        whole, part = divmod(int(decimal[1] + digits) * 3600, 10 ** len(digits))
        if part:
            raise UsageError(f"{text} hours are no whole number of seconds", mend)
        seconds = whole
    else:
        raise UsageError(f"`{text}` is no number of hours", mend)
    if seconds == 0:
        raise UsageError("0 hours are nothing to buy", mend)
    if seconds > MOST_HOURS * 3600:
        raise UsageError(f"{text} hours are more than {MOST_HOURS} at once", mend)
    return seconds


def show(seconds: int) -> str:
    """h:mm, and h:mm:ss where the minute isn't full."""
    sign = "-" if seconds < 0 else ""
    minutes, rest = divmod(abs(seconds), 60)
    text = f"{sign}{minutes // 60}:{minutes % 60:02d}"
    return f"{text}:{rest:02d}" if rest else text
