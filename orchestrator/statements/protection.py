"""What a statement says of protection: drills, recoveries, and what hardening leaves out. Pure."""

from collections.abc import Iterator

from orchestrator.statements.data import Row, Statement
from orchestrator.statements.lines import UNKNOWN, indented, local

DRILLS = "{:<18}{:<15}{:<9}{:<21}{:>9}{:>10}  {:<15}"
RECOVERIES = "{:<18}{:<15}{:<21}{:<12}{:>9}{:>10}  {:<15}"


def drills(statement: Statement) -> Iterator[str]:
    """One line a drill, its moment and problems below it; a year without one is told too."""
    aims = statement.contract.backup
    yield f"Drills (aims: RPO {aims.rpo_seconds} s, RTO {aims.rto_minutes} min)"
    if not statement.drills:
        yield "no drills: whether the backups come back was not tried"
        return
    yield DRILLS.format("when", "server", "restored", "moment", "RPO", "RTO", "figures").rstrip()
    for row in statement.drills:
        yield DRILLS.format(
            local(statement.contract, row["at"]),
            row["server"],
            row["kind"] or UNKNOWN,
            local(statement.contract, row["moment"], seconds=True),
            _seconds(row["rpo_seconds"]),
            _seconds(row["rto_seconds"]),
            row["figures"],
        ).rstrip()
        yield from indented(f"{row['run']}, backup {row['backup'] or 'unknown'}")
        yield from _problems(row)


def recoveries(statement: Statement) -> Iterator[str]:
    """One line a recovery; nothing at all where nothing was recovered."""
    if not statement.recoveries:
        return
    yield "Recoveries"
    yield RECOVERIES.format("when", "server", "to", "what", "lost", "RTO", "left").rstrip()
    for row in statement.recoveries:
        yield RECOVERIES.format(
            local(statement.contract, row["at"]),
            row["server"],
            "put back" if row["put_back"] else local(statement.contract, row["target"], seconds=True),
            row["only"] or "everything",
            _seconds(row["lost_seconds"]),
            _seconds(row["rto_seconds"]),
            row["protection"].upper() if row["protection"] == "unprotected" else row["protection"] or UNKNOWN,
        ).rstrip()
        yield from indented(f"{row['run']}, backup {row['backup'] or 'unknown'}")
        if row["put_back"]:
            yield from indented(f"what {row['put_back']} had set aside")
        if row["fell_back"]:
            yield from indented("the newest backup could not be used, so an older one was")
        if row["lost_commits"]:
            yield from indented(
                f"commits after that moment, which did not come back: {row['lost_commits']:g}"
            )
        if row["missing_attachments"]:
            yield from indented(f"attachments that are missing: {row['missing_attachments']}")
        yield from _problems(row)


def hardening(statement: Statement) -> Iterator[str]:
    """What hardening leaves out, by whose wish, why and until when; and how much can't be applied."""
    yield "Hardening exceptions"
    for row in statement.exceptions:
        state = "until" if row["holds"] else "NO LONGER HOLDS, the rule is applied again; it ended with"
        yield f"{row['rule']}: {state} {row['until']}"
        yield from indented(f"by {row['who']}: {row['why']}")
    if not statement.exceptions:
        yield "none"
    for server, count in sorted(statement.not_applicable.items()):
        yield f"not applicable on {server}: {count}, listed in the run's report"


def _problems(row: Row) -> Iterator[str]:
    for words in row["problems"]:
        yield from indented(f"PROBLEM {words}")


def _seconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{round(value, 1):g} s"
