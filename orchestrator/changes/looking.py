"""Ansible's `--check` against the real servers, as a free run through the queue: what would it change?

So it never looks at a server while another run changes it, and what it saw is evidence like any other.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from orchestrator.contracts.model import Contract
from orchestrator.runs import following, placing, store
from orchestrator.runs.order import Order
from orchestrator.runs.placing import Enqueue
from orchestrator.runs.states import State
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Seen:
    """What one check run saw: server -> the tasks that would change it. `words`: why it did not end well."""

    run: str
    activity: str
    tasks: dict[str, list[str]]
    words: str

    @property
    def differs(self) -> bool:
        """Whether anything would change."""
        return any(self.tasks.values())


def look(
    settings: Settings,
    engine: Engine,
    contract: Contract,
    activity: str,
    servers: tuple[str, ...],
    *,
    cause: str,
    now: datetime,
    enqueue: Enqueue,
    say: Callable[[str], None],
) -> Seen:
    """Order a check run of the activity, with the repository and inventories of `settings`, and follow it."""
    key = f"look-{activity}-{secrets.token_hex(8)}"
    order = Order(contract.customer, activity, servers, cause, key, check=True)
    run, _ = placing.place(engine, settings, contract, order, now=now, enqueue=enqueue)
    ended = following.to_the_end(settings, engine, run.id, say)
    words = "" if ended.state is State.DONE else f"{ended.state}: {ended.words}"
    return Seen(run.id, activity, _tasks(settings, run.id, servers), words)


def _tasks(settings: Settings, run: str, servers: tuple[str, ...]) -> dict[str, list[str]]:
    """The tasks of the last attempt that said `changed`, by server."""
    found: dict[str, list[str]] = {server: [] for server in servers}
    attempts = store.evidence(settings, run).attempts()
    file = attempts[-1].folder / "events.jsonl" if attempts else None
    for line in file.read_text().splitlines() if file and file.exists() else []:
        event = json.loads(line)
        if event["status"] == "changed" and event["server"] in found:
            role = f"{event['role']}: " if "role" in event else ""
            found[event["server"]].append(f"{role}{event['task']}")
    return found
