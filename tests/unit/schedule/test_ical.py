"""The iCalendar text, read back by RFC 5545's rules: lines unfolded, values unescaped, times in UTC."""

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.model import Contract
from orchestrator.schedule.ical import calendar, escaped, folded
from orchestrator.schedule.occurrences import occurrences
from tests.unit.schedule.agreements import agreement

START, END = datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)


def named(name: str, **more: object) -> Contract:
    return agreement(**more).model_copy(update={"customer_name": name})  # type: ignore[arg-type]


def text(contract: Contract, activity: str = "patch") -> str:
    return calendar(contract, occurrences(contract, activity, START, END), START)


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def events(content: str) -> list[dict[str, str]]:
    """Each VEVENT's properties; fails on anything that is not well-formed."""
    assert content.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= 75 for line in content.split("\r\n"))
    found: list[dict[str, str]] = []
    for line in content.replace("\r\n ", "").split("\r\n")[:-1]:
        name, value = line.split(":", 1)
        assert re.fullmatch(r"[A-Z-]+", name)
        assert not re.search(r"[\r\n]", value)
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found and name not in found[-1]:
            found[-1][name] = value
    return found


def test_an_event_says_who_what_and_when() -> None:
    """UID, times in UTC, length and summary of two monthly patches; the frame that RFC 5545 requires."""
    content = text(agreement())
    assert content.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:")
    first, second = events(content)
    assert (first["DTSTART"], first["DTEND"]) == ("20261212T183000Z", "20261212T191500Z")
    assert (first["UID"], second["UID"]) == ("acme-patch-2026-12-12@AMC-1", "acme-patch-2027-01-09@AMC-1")
    assert first["DTSTAMP"] == "20261201T000000Z"
    assert unescaped(first["SUMMARY"]) == "patch: Acme Trading LLC"
    assert "out of reach" in first["DESCRIPTION"]


def test_the_uid_stays_when_a_freeze_moves_the_event() -> None:
    """A calendar that imports both texts has one entry, at the later time, with the reason."""
    (plain, _), (moved, _) = (
        events(text(agreement(freezes=freezes)))
        for freezes in ([], [{"from": "2026-12-11", "until": "2026-12-13", "why": "stock; count, twice"}])
    )
    assert plain["UID"] == moved["UID"]
    assert (plain["DTSTART"], moved["DTSTART"]) == ("20261212T183000Z", "20261218T180000Z")
    assert "stock; count, twice" in unescaped(moved["DESCRIPTION"])


def test_names_are_escaped_and_long_lines_folded() -> None:
    """A name with every character that means something, and one that is long and not ASCII."""
    name = "A;B,C\\D\nE" + "ü" * 80 + "日本" * 40
    (first, _) = events(text(named(name)))
    assert unescaped(first["SUMMARY"]) == f"patch: {name}"


def test_what_is_not_planned_is_in_no_calendar() -> None:
    """A release that is longer than any window has no time."""
    content = text(agreement("release", "FREQ=DAILY", "22:00", 420), "release")
    assert events(content) == []


@given(st.text())
def test_folding_and_escaping_lose_nothing(value: str) -> None:
    """Back comes what went in, line breaks as \\n and without control characters; no line over 75 octets."""
    line = folded(f"SUMMARY:{escaped(value)}")
    assert all(len(piece.encode()) <= 75 for piece in line.split("\r\n"))
    kept = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", re.sub(r"\r\n|\r", "\n", value))
    assert unescaped(line.replace("\r\n ", "").removeprefix("SUMMARY:")) == kept
