"""A statement as plain text, for a terminal or a letter. Pure."""

from collections.abc import Iterator
from textwrap import wrap

from orchestrator.contracts.clauses import NOTES
from orchestrator.contracts.model import Mode
from orchestrator.ledger.hours import show
from orchestrator.statements import growth, protection
from orchestrator.statements.data import Statement, StatementRun
from orchestrator.statements.lines import WIDTH, indented, local

COLUMNS = "{:<17}{:<13}{:<13}{:<12}{:>6}{:>9}{:>8}{:>8}{:>9}{:>5}"


def render(statement: Statement) -> str:
    """The whole statement."""
    of_servers = [protection.drills, protection.recoveries, growth.resizes, protection.hardening]
    parts = [_head, _account, _runs, *of_servers, _foot]
    blocks = ["\n".join(part(statement)) for part in parts]
    return "\n\n".join(block for block in blocks if block)


def _head(statement: Statement) -> Iterator[str]:
    contract = statement.contract
    yield f"Statement of {statement.account.year} for {contract.customer_name}"
    yield (
        f"contract {contract.number} version {contract.version}, {contract.mode}; "
        f"times in {contract.time_zone}; made on {statement.made_at.astimezone(contract.zone):%Y-%m-%d %H:%M}"
    )


def _account(statement: Statement) -> Iterator[str]:
    account = statement.account
    if statement.contract.mode is Mode.COMPREHENSIVE:
        yield f"no cap on hours; effort logged {show(account.uncapped)}"
        return
    yield f"  brought forward {show(account.opening):>10}"
    yield f"+ granted         {show(account.granted):>10}"
    yield f"+ bought          {show(account.bought):>10}"
    yield f"- used            {show(account.used):>10}"
    yield f"- held            {show(account.held):>10}"
    yield f"- expired         {show(account.expired):>10}"
    yield f"= left            {show(account.closing):>10}"
    yield f"  overage         {show(account.overage):>10}   charged beyond the hours"


def _runs(statement: Statement) -> Iterator[str]:
    if not statement.runs:
        yield "no runs"
        return
    yield COLUMNS.format(
        "ordered", "activity", "servers", "state", "held", "raw", "rounded", "charged", "packages", "CVEs"
    )
    for run in statement.runs:
        hours = (run.held_seconds, run.raw_seconds, run.rounded_seconds, run.charged_seconds)
        counts = (run.packages, run.cves)
        yield COLUMNS.format(
            f"{run.ordered_at.astimezone(statement.contract.zone):%Y-%m-%d %H:%M}",
            run.activity,
            run.servers[0] if len(run.servers) == 1 else f"{len(run.servers)} servers",
            f"{run.state}{' (check)' if run.check else ''}",
            *("-" if seconds is None else show(seconds) for seconds in hours),
            *("-" if count is None else count for count in counts),
        )
        yield from _remarks(statement, run)


def _remarks(statement: Statement, run: StatementRun) -> Iterator[str]:
    yield f"    {run.id}, {run.clause}, by {run.cause}; evidence {run.evidence}"
    remarks = [", ".join(run.servers)] if len(run.servers) > 1 else []
    for name, value in run.options.items():
        shown = local(statement.contract, value, seconds=True) if name == "to" else value
        remarks.append(f"option {name.replace('_', ' ')}: {shown}")
    if run.decision and run.state != "rejected":  # a rejected run's words say it
        why = f": {run.decision['why']}" if run.decision["why"] else ""
        remarks.append(
            f"approved by {run.decision['by']} at {local(statement.contract, run.decision['at'])}{why}"
        )
    if run.planned_at and run.state == "waiting":
        remarks.append(f"planned for {local(statement.contract, run.planned_at.isoformat())}")
    if run.urgent:
        remarks.append(f"outside the maintenance windows, under the emergency rule: {run.urgent}")
    remarks += [
        f"passed over on {each['server']}: {each['what']}; why: {each['reason']}" for each in run.overrides
    ]
    for line in [*remarks, *run.words.splitlines()]:
        yield from indented(line)


def _foot(statement: Statement) -> Iterator[str]:
    yield "Notes"
    for note in NOTES:
        yield from wrap(f"{note.id} {note.text}", WIDTH, subsequent_indent="   ")
    yield ""
    yield f"ledger head {statement.ledger_head}"
