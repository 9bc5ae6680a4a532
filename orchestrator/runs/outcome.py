"""A run's end: what its evidence says, and its settlement. (Its beginning: runs/beginning.py.)"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from orchestrator.contracts.activities import ActivityTerms, Charge
from orchestrator.contracts.model import Hours
from orchestrator.database.engine import reading
from orchestrator.ledger import rules
from orchestrator.ledger import store as ledger
from orchestrator.runs import effort, holds, reports, store
from orchestrator.runs.attempts import Fate
from orchestrator.runs.evidence import Evidence, read_json
from orchestrator.runs.states import Event, State
from orchestrator.runs.store import Run
from orchestrator.settings import Settings


def judge(evidence: Evidence, fate: Fate, words: str) -> tuple[Event, str]:
    """What the evidence of an ended run says: (event, words; "" when all went well).

    A report that can't be read raises ValueError.
    """
    if fate is Fate.UNKNOWN:
        return Event.LOSE, words
    rolled_back = [
        f"{server} is as it was before {activity}"
        for server, by_activity in evidence.server_reports().items()
        for activity, report in by_activity.items()
        if report.get("rolled_back") is True
    ]
    if rolled_back:
        return Event.ROLL_BACK, "; ".join(rolled_back)
    if fate is Fate.DEAD:
        return Event.FAIL, words
    result = read_json(evidence.attempts()[-1].result)
    if result["status"] != "successful":
        return Event.FAIL, result["words"] or f"ansible-playbook: {result['status']}, {result['rc']}"
    if said := _shortfall(read_json(evidence.order), result["servers"], evidence.server_reports()):
        return Event.FAIL, said
    return Event.SUCCEED, ""


def _shortfall(order: dict[str, Any], recap: Collection[str], found: reports.Reports) -> str:
    """What the playbook's success leaves out: a server that nothing was done on, a report that is not ok."""
    activity = order["activity"]
    own = {server: found.get(server, {}).get(activity) for server in order["servers"]}
    bad = [
        f"{server}: {reports.line(activity, report)}"
        for server, report in own.items()
        if report is not None and report.get("ok") is False
    ]
    if bad:
        return "; ".join(bad)
    # A playbook that matches no host ends well. A drill works for a server without touching it: it reports.
    missed = [server for server, report in own.items() if server not in recap and report is None]
    return f"the playbook did nothing on {', '.join(missed)}" if missed else ""


def settle(settings: Settings, engine: Engine, run: str, event: Event, words: str, *, now: datetime) -> State:
    """Seal the evidence, move the run to its end and resolve its hold.

    A run that has ended stays as it is.
    """
    with reading(engine) as connection:
        found = store.get(connection, run)
    if not found.is_open:
        return found.state
    evidence = store.evidence(settings, run)
    controller = [interval for attempt in evidence.attempts() for interval in attempt.intervals()]
    try:
        servers = evidence.unit_intervals()
    except ValueError as error:
        servers = []
        words = f"{words}; a report can't be read: {error}".lstrip("; ")
    worked = effort.spans(controller, servers, now)
    manifest = evidence.seal() if evidence.folder.exists() else None
    with engine.begin() as connection:
        found = store.get(connection, run)
        facts = _charge(connection, found, event, worked, now)
        return store.move(connection, found, event, words, ended_at=now, manifest=manifest, **facts)


def _charge(
    connection: Connection, run: Run, event: Event, worked: list[effort.Interval], now: datetime
) -> dict[str, int]:
    """Settle the run's hold, or void it when nothing ran; the row's seconds."""
    contract, key = run.agreed(), holds.key(connection, run)
    by_year = rules.raw_by_year(contract, worked)
    raw = sum(by_year.values())
    free = {"raw": raw, "rounded": raw, "charged": 0, "overage": 0}
    if run.check_mode:
        return free
    if not worked:
        ledger.void(connection, key, "nothing ran", now)
        return free
    terms = terms_at_end(contract.hours, contract.terms(run.activity), event, raw)
    done = ledger.settle(connection, contract, key, raw, terms, now=now, by_year=by_year)
    return {"raw": done.raw, "rounded": done.rounded, "charged": done.charged, "overage": done.overage}


def terms_at_end(hours: Hours, terms: ActivityTerms, event: Event, raw_seconds: int) -> ActivityTerms:
    """A fixed price is for work that was done: a run that failed costs its time, at most the price."""
    if terms.charge is not Charge.FIXED or event is Event.SUCCEED:
        return terms
    by_the_clock = terms.model_copy(update={"charge": Charge.CLOCK})
    prices = {each: rules.effort(hours, each, raw_seconds).charged for each in (by_the_clock, terms)}
    return min(prices, key=lambda each: prices[each])
