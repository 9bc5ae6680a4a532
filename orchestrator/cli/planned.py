"""Activities that are planned before they are ordered: what would be done is shown, then somebody agrees."""

import getpass
import json
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from orchestrator.contracts.model import Contract
from orchestrator.errors import UsageError
from orchestrator.runs import options, placing, worker
from orchestrator.runs.order import Order
from orchestrator.runs.store import Run
from orchestrator.settings import Settings


def place(
    engine: Engine,
    settings: Settings,
    contract: Contract,
    order: Order,
    *,
    now: datetime,
    urgent: str | None = None,
) -> tuple[Run, bool] | None:
    """As placing.place, with a plan that was made and shown first; None: there is nothing to do, or to check.

    What the engine or a policy refuses is refused before anything is held.
    """
    order = replace(order, options=options.checked(order.activity, order.options, now))
    if known := placing.before(engine, order):
        return known, False
    if "spec" in order.options and len(order.servers) != 1:
        raise UsageError("--spec is for one server", f"add --server, one of {', '.join(order.servers)}")
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=".plan-", dir=settings.home) as folder:
        plan = Path(folder) / "plan"
        if not _make(settings, order, plan) or order.check:
            return None
        return placing.place(
            engine, settings, contract, order, now=now, enqueue=worker.enqueue, plan=plan, urgent=urgent
        )


def _make(settings: Settings, order: Order, folder: Path) -> bool:
    """Plan, and say what would be done; False when nothing would."""
    from orchestrator.sizing import change  # the engine's client takes half a second

    specs = {server: order.options["spec"] for server in order.servers if "spec" in order.options}
    change.plan(settings, order.customer, folder, specs)
    planned = json.loads((folder / "change.json").read_text())
    touched = [each["name"] for each in planned["servers"] if each["action"] != "same"]
    for sentence in planned["sentences"]:
        print(sentence, file=sys.stderr)
    if strange := sorted(set(touched) - set(order.servers)):
        raise UsageError(
            f"{', '.join(strange)} would change too, and this order is for {', '.join(order.servers)}",
            f"order them together: {' '.join(f'--server {name}' for name in [*order.servers, *strange])}",
        )
    return bool(touched)


def who(by: str | None) -> str:
    """The name that stands under a decision: the given one, else the user's who runs this."""
    return by if by is not None else getpass.getuser()
