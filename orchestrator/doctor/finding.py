"""What an examination finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from orchestrator.errors import AmcError

Clock = Callable[[], datetime]
"""This machine's time, aware."""


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"  # may be meant so
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and what to do where that is not well."""

    what: str
    grade: Grade
    words: str
    mend: str = ""


def ok(what: str, words: str) -> Finding:
    """It is well."""
    return Finding(what, Grade.OK, words)


def note(what: str, words: str, mend: str = "") -> Finding:
    """Somebody should know it."""
    return Finding(what, Grade.NOTE, words, mend)


def fault(what: str, words: str, mend: str) -> Finding:
    """It has to be mended."""
    return Finding(what, Grade.FAULT, words, mend)


def of_error(what: str, error: Exception) -> Iterator[Finding]:
    """An error as findings, one a problem."""
    problems = getattr(error, "problems", None)
    if problems:
        for each in problems:
            where = f"{each.file}:{each.line}" if each.line else str(each.file)
            yield fault(what, f"{where}: {each.message}", each.mend)
    elif isinstance(error, AmcError):
        yield fault(what, error.message, error.mend)
    else:
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        yield fault(what, words, "this is no fault that amc knows: look at the message")


def tried(what: str, examination: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What the examination finds; one that breaks off is a fault, too."""
    found: list[Finding] = []
    try:
        found.extend(examination())
    except Exception as error:
        found.extend(of_error(what, error))
    return found
