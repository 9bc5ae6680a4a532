"""Where servers differ from what was merged: inside by Ansible's check mode, outside by Pulumi's refresh."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from orchestrator.changes.looking import Seen, look
from orchestrator.contracts.read import read_customer
from orchestrator.fleet.read import MAINTAINED, read
from orchestrator.runs import playbooks
from orchestrator.runs.placing import Enqueue
from orchestrator.settings import Settings

ACTIVITIES = ("deploy", "harden")
"""The playbooks that say what a server is; the others do something with it."""


@dataclass(frozen=True)
class Drift:
    """`outside`: a sentence for each server that Pulumi would change."""

    customer: str
    inside: tuple[Seen, ...]
    outside: tuple[str, ...]

    @property
    def is_there(self) -> bool:
        """Whether anything differs."""
        return bool(self.outside) or any(seen.differs for seen in self.inside)


def drift(
    settings: Settings,
    engine: Engine,
    customer: str,
    *,
    cause: str,
    now: datetime,
    enqueue: Enqueue,
    say: Callable[[str], None],
) -> Drift:
    """Look at all maintained servers of a customer, with the repository and inventories of `settings`."""
    fleet = read(settings.inventories, customer)
    servers = tuple(each.name for each in fleet.servers if MAINTAINED in each.groups)
    contract = read_customer(settings.inventories, customer)
    known = [name for name in ACTIVITIES if playbooks.path(settings.repository, name).is_file()]
    inside = [
        look(settings, engine, contract, name, servers, cause=cause, now=now, enqueue=enqueue, say=say)
        for name in known
    ]
    has_spec = any("server_spec" in each.variables for each in fleet.servers)
    return Drift(customer, tuple(inside), _outside(settings, customer) if has_spec else ())


def _outside(settings: Settings, customer: str) -> tuple[str, ...]:
    from orchestrator.sizing import change  # the engine's client takes half a second

    with tempfile.TemporaryDirectory(prefix=".drift-", dir=settings.home) as folder:
        planned = change.plan(settings, customer, Path(folder) / "plan")
    names = [each["name"] for each in planned.servers if each["action"] != "same"]
    return tuple(
        sentence for sentence in planned.sentences if any(sentence.startswith(f"{name} ") for name in names)
    )
