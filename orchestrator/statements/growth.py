"""What a statement says of changed specifications. Pure."""

from collections.abc import Iterator

from orchestrator.contracts.clauses import CLAUSES
from orchestrator.statements.data import Statement
from orchestrator.statements.lines import UNKNOWN, indented, local

COLUMNS = "{:<18}{:<15}{:<28}{:>9}{:>11}{:>12}{:>14}"


def resizes(statement: Statement) -> Iterator[str]:
    """One line a change; nothing at all where nothing was changed."""
    if not statement.resizes:
        return
    yield f"Specifications (E5: {CLAUSES['E5'].text})"
    yield COLUMNS.format(
        "when", "server", "from, to", "downtime", "predicted", "USD a month", "p95 ms"
    ).rstrip()
    for row in statement.resizes:
        yield COLUMNS.format(
            local(statement.contract, row["at"]),
            row["server"],
            f"{row['from'] or 'unlimited'} -> {row['to'] or UNKNOWN}",
            _seconds(row["downtime_seconds"]),
            _seconds(row["predicted_downtime_seconds"]),
            UNKNOWN if row["usd_per_month"] is None else f"{row['usd_per_month']:+.2f}",
            f"{_number(row['p95_ms_before'])} -> {_number(row['p95_ms_after'])}",
        ).rstrip()
        yield from indented(
            f"{row['run']}{', undone: the server is as it was before' if row['undone'] else ''}"
        )


def _seconds(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f} s"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"
