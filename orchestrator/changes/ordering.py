"""After the merge: exactly what was planned is ordered, once, however often the merge is announced.

1. a merge that has its record is brought to its end by it, and nothing is decided anew
2. else it is planned again; only a digest that was shown by `amc change plan` may be ordered
3. the record is written, then runs whose work is taken over are cancelled, then each order is placed under
   `change:<merge>:<first server>:<activity>`, with the repository and the inventories of the merged commit

Killed anywhere, the next announcement goes on. A merge is an approval: who merged agreed with what was shown.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from orchestrator.changes.history import History
from orchestrator.changes.kept import Kept
from orchestrator.changes.proposal import CAUSE, Proposal
from orchestrator.changes.survey import Survey, survey
from orchestrator.contracts.model import Contract
from orchestrator.contracts.read import read_customer
from orchestrator.errors import AmcError, HoursInsufficient, InvalidInput, NotCovered, Problem, Waiting
from orchestrator.runs import approval, placing, store, waiting
from orchestrator.runs.order import Order
from orchestrator.runs.placing import Enqueue
from orchestrator.runs.states import Event
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

MOVED = {
    "engine": "what Pulumi knows of the servers",
    "runs": "the last runs on the servers",
    "waiting": "what waits for the servers",
}


@dataclass(frozen=True)
class Ordered:
    """A customer's part of a merge: (run, whether it is new) each, or why nothing was ordered."""

    customer: str
    digest: str = ""
    runs: tuple[tuple[Run, bool], ...] = ()
    refusal: AmcError | None = None


@dataclass(frozen=True)
class Merge:
    """What ordering works with: the installation, and `at`, its settings as the merged commit has them."""

    settings: Settings
    engine: Engine
    enqueue: Enqueue
    now: datetime
    kept: Kept
    at: Settings
    found: Survey

    @property
    def cause(self) -> str:
        """As it stands on the statement."""
        return f"{CAUSE}{self.found.head[:12]}"


def apply(
    settings: Settings,
    engine: Engine,
    history: History,
    base: str,
    head: str,
    *,
    now: datetime,
    enqueue: Enqueue,
    only: str | None = None,
) -> list[Ordered]:
    """Order what merging `base`..`head` means, for each customer (`only` this one) by itself.

    A customer's refusal stands in its part: Waiting (it was not planned, or something has moved since),
    NotCovered, HoursInsufficient, InvalidInput. UsageError and InvalidInput of the commits are raised.
    """
    kept = Kept(settings.home / "changes")
    with kept.alone(), survey(settings, history, base, head) as found:
        tree = history.keep(found.head, kept.tree(found.head))
        newest = kept.newest()
        if not (newest and history.is_ancestor(found.head, newest)):
            kept.lead_to(found.head)
        at = of_commit(settings, tree, history.folder)
        merge = Merge(settings, engine, enqueue, now, kept, at, found)
        return [_customer(merge, name) for name in found.wanted(only)]


def of_commit(settings: Settings, tree: Path, folder: str) -> Settings:
    """The settings of a run of that commit: its inventories, and its playbooks where it has some."""
    repository = tree if (tree / "playbooks").is_dir() else settings.repository
    return replace(settings, repository=repository, inventories=tree / folder)


def _customer(merge: Merge, customer: str) -> Ordered:
    try:
        record = merge.kept.record(merge.found.head, customer)
        if record and merge.kept.is_done(merge.found.head, customer):
            runs = [(run, False) for each in record["orders"] if (run := _known(merge, customer, each))]
            return Ordered(customer, record["digest"], tuple(runs))
        _refuse_elsewhere(merge, customer)
        if record is None and (record := _decide(merge, customer)) is None:
            return Ordered(customer)
        runs = _carry_out(merge, customer, record)
    except AmcError as refusal:
        return Ordered(customer, refusal=refusal)
    return Ordered(customer, record["digest"], tuple(runs))


def _decide(merge: Merge, customer: str) -> dict[str, Any] | None:
    """The record of what is ordered; None when the customer's servers were told already."""
    found, kept = merge.found, merge.kept
    trees, applied = found.trees(customer), kept.applied(customer)
    if applied and applied["tree"] == trees["after"]:
        return None
    engines_plan = kept.engines_plan(found.head, customer)
    shutil.rmtree(engines_plan, ignore_errors=True)
    proposal = found.proposal(merge.engine, customer, merge.now, merge.at, engines_plan)
    _refuse(merge, proposal)
    orders = [
        {
            "activity": order.activity,
            "servers": list(order.servers),
            "key": f"change:{found.head}:{order.servers[0]}:{order.activity}",
        }
        for order in proposal.orders
    ]
    record = {
        "digest": proposal.digest,
        "base": found.base,
        "head": found.head,
        "tree": trees["after"],
        "by": found.history.committer(found.head) or "unknown",
        "at": merge.now.isoformat(),
        "orders": orders,
        "replaces": list(proposal.replaces),
    }
    kept.keep_record(found.head, customer, record)
    return record


def begins_elsewhere(kept: Kept, found: Survey, customer: str) -> str:
    """That the servers were told something else than `found` begins with; empty when they were not."""
    applied, trees = kept.applied(customer), found.trees(customer)
    if applied is None or applied["tree"] in (trees["before"], trees["after"]):
        return ""
    last = applied["commit"][:12]
    return f"{customer}: the last merge that was ordered is {last}, and this change begins elsewhere"


def _refuse_elsewhere(merge: Merge, customer: str) -> None:
    applied = merge.kept.applied(customer)
    if applied and (words := begins_elsewhere(merge.kept, merge.found, customer)):
        last, head = applied["commit"][:12], merge.found.head[:12]
        mend = f"amc change plan --base {last} --head {head}, then amc change apply with the same"
        raise Waiting(words, mend)


def _refuse(merge: Merge, proposal: Proposal) -> None:
    """What was not planned just so, or could not be ordered as a whole."""
    if merge.kept.plan(proposal.digest) is None:
        base, head = merge.found.base[:12], merge.found.head[:12]
        raise Waiting(
            f"{proposal.customer}: {_what_moved(merge.kept, proposal)}",
            f"amc change plan --base {base} --head {head}; agreed with, amc change apply with the same",
        )
    errors: dict[int, Callable[[str], AmcError]] = {
        NotCovered.exit_code: NotCovered,
        HoursInsufficient.exit_code: HoursInsufficient,
        InvalidInput.exit_code: lambda words: InvalidInput(
            [Problem(merge.at.inventories / proposal.customer, 0, words, "plan again")]
        ),
    }
    words = [
        f"{order.activity} on {', '.join(order.servers)}: {order.refusal}"
        for order in proposal.orders
        if order.exit_code == proposal.exit_code and order.refusal
    ]
    if words:
        raise errors[proposal.exit_code](f"{proposal.customer}: nothing was ordered: {'; '.join(words)}")


def _what_moved(kept: Kept, proposal: Proposal) -> str:
    """Why this digest was never shown: something has moved, or the change was never planned."""
    trees = proposal.facts["trees"]
    mine = [each["facts"] for each in kept.plans() if each["customer"] == proposal.customer]
    same = [each for each in mine if each["trees"].get("after") == trees["after"]]
    if not same:
        return "this change was never planned"
    moved = {
        words
        for each in same
        for key, words in MOVED.items()
        if each.get("state", {}).get(key) != proposal.facts.get("state", {}).get(key)
    }
    if any(each["trees"] != trees for each in same) and not moved:
        moved = {"the commit it is based on, or the playbooks and roles it works with"}
    return f"{' and '.join(sorted(moved)) or 'what it means'} moved since it was planned"


def _carry_out(merge: Merge, customer: str, record: dict[str, Any]) -> list[tuple[Run, bool]]:
    """Do what the record says, or what is left of it."""
    for name in record["replaces"]:
        _take_over(merge, name)
    runs = []
    if record["orders"]:
        contract = read_customer(merge.at.inventories, customer)
        runs = [_place(merge, contract, record, each) for each in record["orders"]]
    merge.kept.note_done(record["head"], customer, record["tree"])
    return runs


def _take_over(merge: Merge, name: str) -> None:
    """End a run that still waits; one that was released meanwhile goes on, before the new one."""
    with merge.engine.begin() as connection:
        run = store.locked(connection, name)
        if not run.waits:
            return
        words = f"its work is part of {merge.cause}"
        stop = {"by": merge.cause, "why": words, "at": merge.now.isoformat()}
        waiting.call_off(connection, run, Event.CANCEL, words, merge.now, stop=stop)


def _place(
    merge: Merge, contract: Contract, record: dict[str, Any], each: dict[str, Any]
) -> tuple[Run, bool]:
    order = _order(merge, contract.customer, each)
    plan = None
    if order.activity in placing.PLANNED and placing.before(merge.engine, order) is None:
        plan = _engines_plan(merge, contract.customer)
    elif order.activity in placing.PLANNED:
        plan = merge.kept.engines_plan(merge.found.head, contract.customer)  # not looked at: it is ordered
    run, is_new = placing.place(
        merge.engine, merge.at, contract, order, now=merge.now, enqueue=merge.enqueue, plan=plan
    )
    if run.wants_decision:
        why = f"merged as it was planned ({record['digest'][:12]})"
        run = approval.approve(
            merge.engine, run.id, by=record["by"], why=why, now=merge.now, enqueue=merge.enqueue
        )
    return run, is_new


def _order(merge: Merge, customer: str, each: dict[str, Any]) -> Order:
    return Order(customer, each["activity"], tuple(each["servers"]), merge.cause, each["key"])


def _known(merge: Merge, customer: str, each: dict[str, Any]) -> Run | None:
    return placing.before(merge.engine, _order(merge, customer, each))


def _engines_plan(merge: Merge, customer: str) -> Path:
    """Pulumi's plan of the record; made again when a kill has left none."""
    from orchestrator.sizing import change  # the engine's client takes half a second

    folder = merge.kept.engines_plan(merge.found.head, customer)
    if not (folder / change.CHANGE).exists():
        change.plan(merge.at, customer, folder)
    return folder
