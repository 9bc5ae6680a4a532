"""An order: who wants which activity on which servers, and why. Pure."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.errors import UsageError

ENGINEER = "engineer"
SCHEDULE = "schedule"
"""Causes: who or what ordered."""
KEY_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")


@dataclass(frozen=True)
class Order:
    """One unique `key`: what is ordered twice under one key is ordered once.

    `servers` in the inventory's order, at least one. `cause` says who or what ordered it. A `check` order
    runs the playbook in Ansible's check mode and is free. `options`: see runs/options.py.
    """

    customer: str
    activity: str
    servers: tuple[str, ...]
    cause: str
    key: str
    check: bool = False
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """UsageError for a key that can't be used."""
        if not KEY_PATTERN.fullmatch(self.key):
            raise UsageError(
                f"the key {self.key!r} can't be used",
                "1 to 128 letters, digits and . _ : / - , a letter or digit first",
            )

    def digest(self) -> str:
        """SHA-256 of what is asked for (the cause aside): tells a repetition from another order."""
        asked: list[object] = [self.customer, self.activity, sorted(self.servers), self.check]
        if self.options:  # orders from before there were options keep their digest
            asked.append(dict(sorted(self.options.items())))
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def run_id(customer: str, activity: str, at: datetime, suffix: str) -> str:
    """A readable id, also fit for unit names: `acme-patch-20261124-083000-x7k2` (UTC; `suffix` random)."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{customer}-{activity}".lower()).strip("-")
    return f"{words}-{at.astimezone(UTC):%Y%m%d-%H%M%S}-{suffix}"
