"""A run as a reader sees it: the row, and the truth about its worker and its processes. Reads only."""

from datetime import datetime
from typing import Any

from orchestrator.contracts.model import Contract
from orchestrator.ledger import hours
from orchestrator.runs import lock, reports, states, store
from orchestrator.runs.attempts import Fate, fate
from orchestrator.runs.evidence import Evidence, read_json, sha256
from orchestrator.runs.store import Run
from orchestrator.schedule import windows
from orchestrator.settings import Settings


def ordered(run: Run, contract: Contract, now: datetime) -> str:
    """What the one who ordered it is told: the clause, what is held, and a window that is closed at `now`."""
    words = f"{run.id}: covered by {run.clause} of {contract.number}, "
    words += "free (check mode)" if run.check_mode else f"{hours.show(run.held or 0)} held"
    if windows.is_open(contract.maintenance_windows, contract.zone, now):
        return words
    opening = windows.next_opening(contract.maintenance_windows, contract.zone, now)
    when = f"{opening.astimezone(contract.zone):%A %Y-%m-%d %H:%M %Z}" if opening else "never"
    return f"{words}\n{run.id}: outside the maintenance window, which opens next {when}; it goes on for now"


def standing(settings: Settings, run: Run) -> tuple[str, str]:
    """(word, what happens next or what to do): the true state, computed from the lock and the processes."""
    if not run.is_open:
        return states.shown_as(run.state, worker_lives=False, process_lives=False)
    attempts = store.evidence(settings, run.id).attempts()
    lives = bool(attempts) and fate(attempts[-1]) is Fate.RUNNING
    return states.shown_as(run.state, lock.holder(settings) is not None, lives)


def document(settings: Settings, run: Run) -> dict[str, Any]:
    """The run for `--json`. Times are ISO 8601 in UTC or null, `*_seconds` whole seconds or null.

    id, key, customer, activity, servers, options {name: value}, cause, check, clause,
    contract {number, version}, state, words, next, exit_code, ordered_at, decision {by, why, at} or null,
    started_at, ended_at,
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
        "decision": run.decision,
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
