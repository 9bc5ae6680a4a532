"""Whether a contract covers a piece of work at a time, and by which clause."""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.contracts.activities import DEFAULTS, EXCLUDED
from orchestrator.contracts.clauses import CLAUSES, TERM
from orchestrator.contracts.model import ActivityTerms, Contract
from orchestrator.contracts.spelling import closest
from orchestrator.errors import UsageError


@dataclass(frozen=True)
class Covered:
    """The contract covers the work by this clause, on these terms."""

    clause_id: str
    clause_text: str
    terms: ActivityTerms


@dataclass(frozen=True)
class Excluded:
    """The contract does not cover the work; `reason` is a whole sentence for the person who asked."""

    clause_id: str
    clause_text: str
    reason: str


def decide(contract: Contract, activity: str, at: datetime) -> Covered | Excluded:
    """Covered or excluded, for work planned at the aware time `at`; UsageError when no such work is known."""
    if activity in EXCLUDED:
        clause = CLAUSES[EXCLUDED[activity]]
        return Excluded(
            clause.id,
            clause.text,
            f"{activity} is excluded from contract {contract.number} by clause {clause.id}: {clause.text}",
        )
    if activity not in DEFAULTS:
        raise _unknown(activity)
    if not contract.covers(at):
        term = contract.term
        dates = f"from {term.start}" + (f" to {term.end}" if term.end else " on")
        day = at.astimezone(contract.zone).date()
        return Excluded(
            TERM.id,
            TERM.text,
            f"{activity} on {day} is outside the term of contract {contract.number}, which runs {dates}",
        )
    terms = contract.terms(activity)
    clause = CLAUSES[terms.clause]
    return Covered(clause.id, clause.text, terms)


def _unknown(activity: str) -> UsageError:
    names = ", ".join(DEFAULTS)
    named = closest(activity, [*DEFAULTS, *EXCLUDED])
    return UsageError(
        f"there is no activity `{activity}`", f"{named} " * bool(named) + f"activities: {names}"
    )
