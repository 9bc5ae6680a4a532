"""What differs between two commits' intents, server by server and in the contract. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.contracts.model import Contract

CONTRACT = "amc_contract"
SHOWN_LENGTH = 80
NOT_SHOWN = re.compile(r"passw|secret|token|private|passphrase|credential|(^|_)key(s)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Intent:
    """A customer at a commit: its contract, and the maintained servers' variables as Ansible merges them.

    A customer that is not there has neither.
    """

    customer: str
    servers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    contract: Contract | None = None


class Kind(StrEnum):
    """How a server differs."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True)
class Difference:
    """One variable of one maintained server, or the server itself (`key` empty: it is new, or gone).

    `before` and `after` are values as JSON, cut to a line's length; None: not said. Of what may be a secret
    only that it differs is told.
    """

    server: str
    kind: Kind
    key: str = ""
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        if not self.key:
            return "new server" if self.kind is Kind.NEW else "no longer in the inventory"
        before, after = (("not said" if each is None else each) for each in (self.before, self.after))
        return f"{self.key}: {before} -> {after}"


def of_servers(base: Intent, head: Intent) -> tuple[Difference, ...]:
    """By server, then by variable; without the contract, which every server carries as a variable."""
    before, after = base.servers, head.servers
    found = []
    for name in sorted({*before, *after}):
        if name not in before:
            found.append(Difference(name, Kind.NEW))
        elif name not in after:
            found.append(Difference(name, Kind.GONE))
        else:
            found += _of_variables(name, before[name], after[name])
    return tuple(found)


def of_contract(base: Contract | None, head: Contract | None) -> tuple[str, ...]:
    """What differs in the contract, one clause of it a line: `hours.per_calendar_year: 60 -> 80`."""
    before, after = _flat(base), _flat(head)
    if not before or not after:
        return ()
    return tuple(
        f"{key}: {_or_nothing(before.get(key))} -> {_or_nothing(after.get(key))}"
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
    )


def _of_variables(server: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    keys = sorted(key for key in {*before, *after} if key != CONTRACT and not key.startswith("inventory_"))
    return [
        Difference(server, Kind.CHANGED, key, _shown(key, before), _shown(key, after))
        for key in keys
        if key != "group_names" and (key in before, before.get(key)) != (key in after, after.get(key))
    ]


def _shown(key: str, variables: Mapping[str, Any]) -> str | None:
    if key not in variables:
        return None
    if NOT_SHOWN.search(key) or _holds_secret(variables[key]):
        return "(not shown)"
    text = json.dumps(variables[key], default=str, sort_keys=True)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"


def _holds_secret(value: Any) -> bool:
    """Whether a key below it sounds like one: the whole is not shown then."""
    if isinstance(value, dict):
        return any(NOT_SHOWN.search(str(key)) or _holds_secret(each) for key, each in value.items())
    return isinstance(value, list) and any(_holds_secret(each) for each in value)


def _flat(contract: Contract | None) -> dict[str, str]:
    found: dict[str, str] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for key, each in value.items():
                walk(each, f"{path}.{key}" if path else str(key))
        elif value is not None:
            found[path] = json.dumps(value)

    walk(contract.model_dump(mode="json") if contract else {}, "")
    return found


def _or_nothing(text: str | None) -> str:
    return "not said" if text is None else text
