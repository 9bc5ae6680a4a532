"""A run as a reader sees it: the row, and the truth about its worker and its processes. Reads only."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.contracts.model import Contract
from orchestrator.ledger import hours
from orchestrator.runs import lock, reports, states, store
from orchestrator.runs.attempts import Fate, fate
from orchestrator.runs.evidence import Evidence, read_json, sha256
from orchestrator.runs.states import State
from orchestrator.runs.store import Run
from orchestrator.settings import Settings


def ordered(run: Run, contract: Contract, now: datetime) -> str:
    """What the one who ordered it is told: the clause, what is held, and when it runs if not at once."""
    words = f"{run.id}: covered by {run.clause} of {contract.number}, "
    words += "free (check mode)" if run.check_mode else f"{hours.show(run.held or 0)} held"
    if run.urgent:
        return f"{words}\n{run.id}: outside the maintenance windows, under the emergency rule: {run.urgent}"
    if run.waits and run.planned_at and run.planned_at > now:
        why = f": {run.words}" if run.words else ""
        return f"{words}\n{run.id}: planned for {planned(run)}{why}"
    return words


def planned(run: Run) -> str:
    """Its planned time on the contract's clock: `Friday 2026-11-27 22:00 +04`."""
    zone = ZoneInfo(run.contract["time_zone"])
    return f"{run.planned_at.astimezone(zone):%A %Y-%m-%d %H:%M %Z}" if run.planned_at else ""


def standing(settings: Settings, run: Run) -> tuple[str, str]:
    """(word, what happens next or what to do): the true state, computed from the lock and the processes."""
    if run.waits and not run.wants_decision:
        return run.state, f"for its time, {planned(run)}; a worker that stays (`amc worker`) begins it"
    if run.state is State.RUNNING and run.hand:
        return run.state, f"{run.hand['by']} runs it by hand on {run.hand['host']}"
    if not run.is_open:
        return states.shown_as(run.state, worker_lives=False, process_lives=False)
    attempts = store.evidence(settings, run.id).attempts()
    lives = bool(attempts) and fate(attempts[-1]) is Fate.RUNNING
    word, following = states.shown_as(run.state, lock.holder(settings) is not None, lives)
    if run.stop:
        following = f"told to end by {run.stop['by']}: {run.stop['why']}{following and f'; {following}'}"
    return word, following


def document(settings: Settings, run: Run) -> dict[str, Any]:
    """The run for `--json`. Times are ISO 8601 in UTC or null, `*_seconds` whole seconds or null.

    id, key, customer, activity, servers, options {name: value}, cause, check, clause,
    contract {number, version}, state, words, next, exit_code, ordered_at, planned_at, needs_approval,
    urgent (why it may run outside the windows, or null), decision and stop {by, why, at} or null,
    hand {by, host} or null, started_at, ended_at,
    held_seconds, raw_seconds, rounded_seconds, charged_seconds, overage_seconds, evidence (folder),
    manifest_sha256.
    """
    state, following = standing(settings, run)
    return {
        "id": run.id,
        "key": run.key,
        "customer": run.customer,
        "activity": run.activity,
        "servers": run.servers,
        "options": run.options,
        "cause": run.cause,
        "check": run.check_mode,
        "clause": run.clause,
        "contract": {"number": run.contract["number"], "version": run.contract["version"]},
        "state": state,
        "words": run.words,
        "next": following,
        "exit_code": run.exit_code,
        "ordered_at": _iso(run.ordered_at),
        "planned_at": _iso(run.planned_at),
        "needs_approval": run.needs_approval,
        "urgent": run.urgent,
        "decision": run.decision,
        "stop": run.stop,
        "hand": run.hand,
        "started_at": _iso(run.started_at),
        "ended_at": _iso(run.ended_at),
        "held_seconds": run.held,
        "raw_seconds": run.raw,
        "rounded_seconds": run.rounded,
        "charged_seconds": run.charged,
        "overage_seconds": run.overage,
        "evidence": str(store.evidence(settings, run.id).folder),
        "manifest_sha256": run.manifest,
    }


def details(settings: Settings, run: Run) -> dict[str, Any]:
    """`document`, and what the evidence holds: plan or null, attempts, reports, which files are altered."""
    evidence = store.evidence(settings, run.id)
    return document(settings, run) | {
        "plan": read_json(evidence.plan / "change.json"),
        "attempts": [_attempt(evidence, number) for number in range(1, len(evidence.attempts()) + 1)],
        "reports": _reports(evidence),
        "altered": evidence.altered() if run.manifest else [],
    }


def accounted(settings: Settings, run: Run) -> dict[str, Any]:
    """What a statement says of the run: the fields of statements/data.py's StatementRun."""
    evidence = store.evidence(settings, run.id)
    found = _reports(evidence)
    return (
        {
            "id": run.id,
            "activity": run.activity,
            "servers": run.servers,
            "options": run.options,
            "decision": run.decision,
            "urgent": run.urgent,
            "planned_at": run.planned_at,
            "cause": run.cause,
            "check": run.check_mode,
            "clause": run.clause,
            "state": standing(settings, run)[0],
            "words": run.words,
            "ordered_at": run.ordered_at,
            "ended_at": run.ended_at,
            "held_seconds": run.held,
            "raw_seconds": run.raw,
            "rounded_seconds": run.rounded,
            "charged_seconds": run.charged,
            "overage_seconds": run.overage,
            "evidence": _integrity(evidence, run),
            "manifest_sha256": run.manifest,
        }
        | reports.counts(found)
        | reports.rows(found)
    )


def _integrity(evidence: Evidence, run: Run) -> str:
    if run.manifest is None:
        return "open" if run.is_open else "none"
    if not evidence.manifest.exists():
        return "missing"
    whole = sha256(evidence.manifest) == run.manifest and not evidence.altered()
    return "whole" if whole else "altered"


def _reports(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """None of them when one can't be read: the run's words then say so."""
    try:
        return evidence.server_reports()
    except ValueError:
        return {}


def _attempt(evidence: Evidence, number: int) -> dict[str, Any]:
    attempt = evidence.attempt(number)
    result = read_json(attempt.result) or {}
    return {"number": number, "fate": fate(attempt).value, "log": str(attempt.log)} | result


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
