"""The text of a recurrence: RFC 5545's RRULE, as far as it names days. The hour is said beside it.

Frequencies below a day, BYHOUR, BYMINUTE and BYSECOND are refused: so a rule names a day once or not at all,
and what falls into an hour that the clocks skip or show twice is decided in one place, schedule/clock.py.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time

from dateutil.rrule import rrule, rrulestr

from orchestrator.contracts.part import fault
from orchestrator.contracts.spelling import closest

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_HINT = "for example FREQ=MONTHLY;BYDAY=2SA, the second Saturday of each month"
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_SAID_BESIDE = ("BYHOUR", "BYMINUTE", "BYSECOND")
# name: (the largest number, whether it may count from the end)
_NUMBERS = {
    "BYMONTH": (12, False),
    "BYMONTHDAY": (31, True),
    "BYYEARDAY": (366, True),
    "BYWEEKNO": (53, True),
    "BYSETPOS": (366, True),
}
_NAMES = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS)
# name: the frequencies with which RFC 5545 gives it no meaning
_SENSELESS = {
    "BYWEEKNO": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYYEARDAY": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYMONTHDAY": ("WEEKLY",),
}
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_NO_NUMBER = 10_000


def checked(text: str) -> str:
    """The rule itself; raises a fault of the contract with what is wrong in it."""
    parts: dict[str, str] = {}
    for written in text.split(";"):
        name, equals, value = written.partition("=")
        if not equals or not value:
            raise fault(f"{written!r} in the rule is no NAME=VALUE", _HINT)
        if name in _SAID_BESIDE:
            raise fault(f"{name} has no place in the rule", 'say the hour beside it: at: "22:30"')
        if name not in _NAMES:
            mend = f"{closest(name.upper(), _NAMES)} known here: {', '.join(_NAMES)}".strip()
            raise fault(f"unknown part {name!r} in the rule", mend)
        if name in parts:
            raise fault(f"{name} stands in the rule twice", "keep one of them")
        parts[name] = value
    if next(iter(parts)) != "FREQ":
        raise fault("the rule does not begin with FREQ", _HINT)
    frequency = parts["FREQ"]
    if frequency not in FREQUENCIES:
        mend = f"{closest(frequency, FREQUENCIES)} one of {', '.join(FREQUENCIES)}".strip()
        raise fault(f"FREQ is {frequency!r}", mend)
    _check_values(parts)
    _check_weekdays(parts)
    _check_together(parts)
    return text


def days(text: str, start: date) -> Iterator[date]:
    """The days that a checked rule names, counted from the day `start` on; ends only when the rule does."""
    # Naive midnights: days have no zone, and dateutil wants UNTIL of the same kind as the start.
    named = rrulestr(text, dtstart=datetime.combine(start, time()))
    assert isinstance(named, rrule)
    return (moment.date() for moment in named)


def _check_values(parts: Mapping[str, str]) -> None:
    for name in ("INTERVAL", "COUNT"):
        if name in parts and not re.fullmatch(r"[1-9][0-9]{0,3}", parts[name]):
            raise fault(f"{name} is {parts[name]!r}", f"a whole number from 1 to 9999, such as {name}=2")
    if "WKST" in parts and parts["WKST"] not in _WEEKDAYS:
        raise fault(f"WKST is {parts['WKST']!r}", f"one of {', '.join(_WEEKDAYS)}")
    if "UNTIL" in parts and not _is_day(parts["UNTIL"]):
        raise fault(f"UNTIL is {parts['UNTIL']!r}", "the last day as YYYYMMDD, such as UNTIL=20271231")
    for name, (largest, from_the_end) in _NUMBERS.items():
        for value in parts[name].split(",") if name in parts else ():
            number = int(value) if re.fullmatch(r"[+-]?[0-9]{1,3}", value) else _NO_NUMBER
            if not 1 <= (abs(number) if from_the_end else number) <= largest:
                end = f", or -1 to -{largest} from the end" if from_the_end else ""
                raise fault(f"{name} has {value!r}", f"1 to {largest}{end}")


def _check_weekdays(parts: Mapping[str, str]) -> None:
    for value in parts["BYDAY"].split(",") if "BYDAY" in parts else ():
        found = re.fullmatch(r"([+-]?[1-9][0-9]?)?([A-Z]{2})", value)
        if not found or found[2] not in _WEEKDAYS or abs(int(found[1] or 1)) > 53:
            raise fault(
                f"BYDAY has {value!r}", f"one of {', '.join(_WEEKDAYS)}, or 2SA, or -1SU for the last"
            )
        if found[1] and (parts["FREQ"] not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts):
            raise fault(
                f"BYDAY={value} counts weekdays, which means nothing with this rule",
                "use FREQ=MONTHLY or FREQ=YEARLY without BYWEEKNO, or leave the number out",
            )


def _check_together(parts: Mapping[str, str]) -> None:
    for name, frequencies in _SENSELESS.items():
        if name in parts and parts["FREQ"] in frequencies:
            raise fault(f"{name} means nothing with FREQ={parts['FREQ']}", "leave it out, or use FREQ=YEARLY")
    if "COUNT" in parts and "UNTIL" in parts:
        raise fault("COUNT and UNTIL both end the rule", "keep one of them")
    if "BYSETPOS" in parts and not any(name.startswith("BY") and name != "BYSETPOS" for name in parts):
        raise fault("BYSETPOS chooses among days that nothing names", "add BYDAY or BYMONTHDAY")
    if "BYMONTH" in parts and "BYMONTHDAY" in parts:
        longest = max(_LONGEST_MONTHS.get(int(month), 31) for month in parts["BYMONTH"].split(","))
        if all(abs(int(day)) > longest for day in parts["BYMONTHDAY"].split(",")):
            raise fault(f"no month of BYMONTH has a day {parts['BYMONTHDAY']}", f"1 to {longest}")


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{8}", text):
        return False
    try:
        date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:]}")
    except ValueError:
        return False
    return True
