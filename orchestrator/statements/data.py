"""A year's statement as data: the account of hours, the runs, the notes, the ledger's head. Pure.

`document` gives it for `--json`. Names are stable; `*_seconds` are whole seconds, those of drills
and recoveries with fractions; times ISO 8601 in UTC:

    customer, customer_name, contract, contract_version, mode, time_zone, year, made_at
    account   opening_seconds + granted_seconds + bought_seconds
              - used_seconds - held_seconds - expired_seconds = closing_seconds
              overage_seconds   charged beyond the hours; no part of the sum
              uncapped_seconds  effort under a comprehensive contract; no part of the sum
    runs      [{id, activity, servers, options {name: value}, decision {by, why, at} or null, urgent,
                planned_at, overrides, cause, check, clause, state, words, ordered_at, ended_at,
                held_seconds, raw_seconds, rounded_seconds, charged_seconds, overage_seconds, packages, cves,
                evidence, manifest_sha256}]
              those ordered in the year (contract's time zone), oldest first, refused ones too;
              overrides [{server, what, reason}]: what was passed over, and why; urgent: why it ran outside
              the maintenance windows, under the contract's emergency rule, or null
    drills    [{run, server, at, kind, moment, backup, rpo_seconds, rto_seconds, figures, problems}]
              figures: equal, differ or not compared
    recoveries  [{run, server, at, target, put_back, only, backup, fell_back, lost_seconds, lost_commits,
                rto_seconds, missing_attachments, problems, protection}]
              lost_seconds: committed work that should have come back and did not; lost_commits: what came
              after the moment that was asked for; protection: protected or unprotected, at the run's end
    resizes   [{run, server, at, from, to, undone, downtime_seconds, predicted_downtime_seconds,
                usd_per_month, p95_ms_before, p95_ms_after}]
              usd_per_month: what the hoster charges more (less: negative), which no contract covers
    hardening   exceptions [{rule, who, why, until, holds}], holds: on the day the statement was made;
              not_applicable {server: count}, as its latest report says
    notes     [{id, text}]
    ledger_head   the hash of the contract's last posting; `amc hours verify --head` finds it again
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from orchestrator.contracts.clauses import NOTES
from orchestrator.contracts.model import Contract
from orchestrator.ledger.accounts import YearAccount

Row = Mapping[str, Any]


@dataclass(frozen=True)
class StatementRun:
    """A run on the statement. Seconds are None while unknown, or where a refused order has none.

    `overrides` to `hardened` are rows of what servers reported, see runs/reports.py.
    `packages` and `cves` count what the servers report (changed packages; distinct CVE ids), None without a
    report. `evidence`: whole, altered (unlike the manifest that was made at the run's end), missing, open
    while the run is, or none where nothing was begun.
    """

    id: str
    activity: str
    servers: Sequence[str]
    options: Mapping[str, str]
    decision: Mapping[str, str] | None
    urgent: str | None
    planned_at: datetime | None
    cause: str
    check: bool
    clause: str
    state: str
    words: str
    ordered_at: datetime
    ended_at: datetime | None
    held_seconds: int | None
    raw_seconds: int | None
    rounded_seconds: int | None
    charged_seconds: int | None
    overage_seconds: int | None
    packages: int | None
    cves: int | None
    overrides: Sequence[Row]
    drills: Sequence[Row]
    recoveries: Sequence[Row]
    resizes: Sequence[Row]
    hardened: Sequence[Row]
    evidence: str
    manifest_sha256: str | None


@dataclass(frozen=True)
class Statement:
    """Everything that a statement prints."""

    contract: Contract
    account: YearAccount
    runs: Sequence[StatementRun]
    ledger_head: str
    made_at: datetime

    @property
    def drills(self) -> list[Row]:
        """Every drill's outcome, oldest first."""
        return [_of(run, row) for run in self.runs for row in run.drills]

    @property
    def recoveries(self) -> list[Row]:
        """Every recovery, oldest first."""
        return [_of(run, row) for run in self.runs for row in run.recoveries]

    @property
    def resizes(self) -> list[Row]:
        """Every change of a specification, oldest first."""
        return [_of(run, row) for run in self.runs for row in run.resizes]

    @property
    def exceptions(self) -> list[Row]:
        """What hardening leaves out, as the contract says today."""
        today = self.made_at.astimezone(self.contract.zone).date()
        return [
            each.model_dump(mode="json") | {"holds": each.holds_on(today)}
            for each in self.contract.hardening.exceptions
        ]

    @property
    def not_applicable(self) -> dict[str, int]:
        """Server -> how many rules of hardening can't be applied there, by its latest report."""
        rows = [row for run in self.runs for row in run.hardened]
        return {row["server"]: row["not_applicable"] for row in rows if row["not_applicable"] is not None}


def compose(
    contract: Contract, account: YearAccount, runs: Sequence[StatementRun], *, head: str, at: datetime
) -> Statement:
    """The statement of the account's year; picks the runs of that year from `runs`."""
    chosen = [run for run in runs if contract.year_of(run.ordered_at) == account.year]
    return Statement(contract, account, sorted(chosen, key=lambda run: (run.ordered_at, run.id)), head, at)


def document(statement: Statement) -> dict[str, Any]:
    """As this module's docstring says."""
    contract, account = statement.contract, asdict(statement.account)
    year = account.pop("year")
    return {
        "customer": contract.customer,
        "customer_name": contract.customer_name,
        "contract": contract.number,
        "contract_version": contract.version,
        "mode": contract.mode.value,
        "time_zone": contract.time_zone,
        "year": year,
        "made_at": statement.made_at.isoformat(),
        "account": {f"{name}_seconds": seconds for name, seconds in account.items()},
        "runs": [_run(run) for run in statement.runs],
        "drills": statement.drills,
        "recoveries": statement.recoveries,
        "resizes": statement.resizes,
        "hardening": {"exceptions": statement.exceptions, "not_applicable": statement.not_applicable},
        "notes": [{"id": note.id, "text": note.text} for note in NOTES],
        "ledger_head": statement.ledger_head,
    }


def _of(run: StatementRun, row: Row) -> Row:
    """The row with its run; a report that names no time happened when its run ended."""
    at = row.get("at") or (run.ended_at or run.ordered_at).isoformat()
    return {"run": run.id} | dict(row) | {"at": at}


def _run(run: StatementRun) -> dict[str, Any]:
    times = {
        name: at and at.isoformat()
        for name, at in (
            ("ordered_at", run.ordered_at),
            ("planned_at", run.planned_at),
            ("ended_at", run.ended_at),
        )
    }
    document = asdict(run) | {"servers": list(run.servers)} | times
    own_sections = ("drills", "recoveries", "resizes", "hardened")
    return {name: document[name] for name in document if name not in own_sections}
