"""Occurrences as an iCalendar text (RFC 5545): what a calendar program can subscribe to or import.

Times are in UTC, so no VTIMEZONE is needed. An occurrence keeps its UID when it is moved: a calendar that
imports the text again moves its entry instead of showing two.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from orchestrator.contracts.model import Contract
from orchestrator.contracts.recurrence import ANY_TIME
from orchestrator.schedule.occurrences import Occurrence

_OCTETS = 75  # the longest line, without its line break
_MAY_BE_OUT_OF_REACH = "M EMS may be out of reach for some of this time."


def calendar(contract: Contract, occurrences: Iterable[Occurrence], stamp: datetime) -> str:
    """The text, lines ending in CRLF, of what is planned; `stamp` (aware) is when it was made."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//M EMS AMC//amc schedule//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{escaped(f'Maintenance of {contract.customer_name}')}",
    ]
    for each in occurrences:
        if each.planned:
            lines += _event(contract, each, each.planned, stamp)
    lines.append("END:VCALENDAR")
    return "".join(f"{folded(line)}\r\n" for line in lines)


def escaped(text: str) -> str:
    """A value of type TEXT: backslash, semicolon, comma and line break escaped, control characters gone."""
    text = re.sub(r"\r\n|\r", "\n", text)
    text = re.sub(r"([\\;,])", r"\\\1", text).replace("\n", "\\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)


def folded(line: str) -> str:
    """The line in pieces of at most 75 octets, each after the first led by a space; no character is cut."""
    pieces, piece, size = [], "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > _OCTETS:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + character, size + octets
    return "\r\n".join([*pieces, piece])


def _event(contract: Contract, each: Occurrence, planned: datetime, stamp: datetime) -> list[str]:
    described = [f"{each.activity} under contract {contract.number}."]
    if each.activity not in ANY_TIME:
        described.append(_MAY_BE_OUT_OF_REACH)
    described += [f"{reason.words[:1].upper()}{reason.words[1:]}." for reason in each.reasons]
    return [
        "BEGIN:VEVENT",
        f"UID:{escaped(f'{each.uid}@{contract.number}')}",
        f"DTSTAMP:{_utc(stamp)}",
        f"DTSTART:{_utc(planned)}",
        f"DTEND:{_utc(planned + each.lasts)}",
        f"SUMMARY:{escaped(f'{each.activity}: {contract.customer_name}')}",
        f"DESCRIPTION:{escaped(chr(10).join(described))}",
        f"CATEGORIES:{each.activity.upper()}",
        f"TRANSP:{'TRANSPARENT' if each.activity in ANY_TIME else 'OPAQUE'}",
        "END:VEVENT",
    ]


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
