"""Who is told: the channels of the file that AMC_NOTIFY_FILE names, each an address that Apprise knows.

Every fault of the file comes with its line; an address is never shown, since it holds passwords and tokens.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from orchestrator.contracts.complaints import problems_of
from orchestrator.contracts.nodes import Reading, Unreadable, data_of
from orchestrator.contracts.part import Part
from orchestrator.errors import InvalidInput, Problem
from orchestrator.notify.events import Event

NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"
ADDRESS_MEND = "write an address that Apprise knows, such as mailtos://user:password@host?to=ops@example.com"


class ChannelEntry(Part):
    """One channel of the file."""

    name: str = Field(pattern=NAME, description="small letters, digits and -", examples=["operations"])
    url: str | None = Field(
        None,
        description="an address as Apprise has it",
        examples=["mailtos://user:password@mail.example.com?to=ops@example.com"],
    )
    url_file: str | None = Field(
        None, description="a file that holds the address, beside this one", examples=["operations.url"]
    )
    events: tuple[Event, ...] = Field(
        tuple(Event), min_length=1, description="what it is told of", examples=["[failed, approval]"]
    )
    customers: tuple[str, ...] | None = Field(
        None, min_length=1, description="whose, by folder; by default everyone's", examples=["[acme]"]
    )


class ChannelsFile(Part):
    """The whole file."""

    channels: tuple[ChannelEntry, ...] = Field(
        description="a list of channels", examples=["[{name: operations, url_file: operations.url}]"]
    )
    maintenance_hours_ahead: int = Field(
        72, ge=1, le=720, description="how long before it maintenance is announced", examples=["72"]
    )


@dataclass(frozen=True)
class Channel:
    """One that is told; `url` is a secret. `customers` None: everyone's."""

    name: str
    url: str
    events: frozenset[Event]
    customers: frozenset[str] | None

    def wants(self, event: Event, customer: str) -> bool:
        """Whether it is told of this."""
        return event in self.events and (self.customers is None or customer in self.customers)


@dataclass(frozen=True)
class Channels:
    """All channels, and how many hours ahead maintenance is announced."""

    channels: tuple[Channel, ...]
    hours_ahead: int

    def named(self, name: str) -> Channel | None:
        """The channel of that name."""
        return next((channel for channel in self.channels if channel.name == name), None)


def read(path: Path) -> Channels:
    """The file's channels. InvalidInput with every problem; nothing is sent."""
    data = _data(path)
    problems = [Problem(path, *fault) for fault in data.faults]
    try:
        found = ChannelsFile.model_validate_json(json.dumps(data.data))
    except ValidationError as error:
        complaints = problems_of(error, path, data.lines, ChannelsFile.model_json_schema())
        raise InvalidInput([*problems, *map(_discreet, complaints)]) from None
    channels: list[Channel] = []
    for index, entry in enumerate(found.channels):
        line = data.lines["channels", index]
        if entry.name in {channel.name for channel in channels}:
            problems.append(Problem(path, line, f"{entry.name} stands here twice", "give each its own name"))
        try:
            channels.append(_channel(path, entry))
        except ValueError as error:
            problems.append(Problem(path, line, f"{entry.name}: {error}", ADDRESS_MEND))
    if problems:
        raise InvalidInput(problems)
    return Channels(tuple(channels), found.maintenance_hours_ahead)


def _data(path: Path) -> Reading:
    mend = "docs/notifications.md has an example"
    try:
        content = path.read_bytes()
        if not content.strip():
            raise Unreadable(0, "the file is empty", mend)
        return data_of(content)
    except Unreadable as fault:
        raise InvalidInput([Problem(path, fault.line, fault.message, fault.mend)]) from None
    except OSError as error:
        words = f"cannot be read: {error.strerror}"
        raise InvalidInput([Problem(path, 0, words, f"AMC_NOTIFY_FILE names this file; {mend}")]) from None


def _discreet(problem: Problem) -> Problem:
    """Without the value, where that may be an address."""
    if "://" not in problem.message:
        return problem
    return Problem(problem.file, problem.line, "an address stands where something else belongs", problem.mend)


def _channel(path: Path, entry: ChannelEntry) -> Channel:
    """ValueError in words when its address is none."""
    if (entry.url is None) == (entry.url_file is None):
        raise ValueError("needs either url or url_file")
    url = entry.url or _content(path.parent / (entry.url_file or ""))
    from apprise import Apprise  # takes half a second

    if Apprise.instantiate(url) is None:
        raise ValueError("Apprise knows no such address")
    customers = None if entry.customers is None else frozenset(entry.customers)
    return Channel(entry.name, url, frozenset(entry.events), customers)


def _content(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "no text in UTF-8"
        raise ValueError(f"its url_file {file} cannot be read: {words}") from None
    if not text or "\n" in text:
        raise ValueError(f"its url_file {file} does not hold one line")
    return text
