"""What a statement says of changed specifications."""

from datetime import UTC, datetime
from typing import Any

from orchestrator.runs import reports
from orchestrator.statements import data, text
from tests.unit.statements.test_statement import ACCOUNT, CONTRACT, run

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
REPORT: dict[str, Any] = {
    "ok": True,
    "from": {"spec": "lab.small"},
    "to": {"spec": "lab.large"},
    "downtime_seconds": 7.25,
    "predicted_downtime_seconds": 9,
    "usd_per_month": {"difference": 31.5},
    "response_before": {"p95_ms": 410},
    "response_after": {"p95_ms": 206},
    "overrides": [{"what": "no proven backup", "reason": "moving house"}],
}
DECISION = {"by": "R. Weber", "why": "month end", "at": "2026-11-24T08:00:00+00:00"}


def _statement(report: dict[str, Any], **other: Any) -> data.Statement:
    rows = reports.rows({"acme-erp1": {"resize": report}})
    made = run(id="a-resize", activity="resize", decision=DECISION, **rows | other)
    return data.compose(CONTRACT, ACCOUNT, [made], head="00", at=NOW)


def test_a_resize_and_who_approved_it() -> None:
    """From what to what, how long users waited, what it costs and that this is the customer's to pay."""
    said = text.render(_statement(REPORT))
    assert "E5: Cloud hosting charges are not covered." in said
    line = next(line for line in said.splitlines() if "lab.small -> lab.large" in line)
    assert " ".join(line.split()[3:]) == "lab.small -> lab.large 7.2 s 9.0 s +31.50 410 -> 206"
    assert "approved by R. Weber at 2026-11-24 12:00: month end" in said
    assert "passed over on acme-erp1: no proven backup; why: moving house" in said
    document = data.document(_statement(REPORT))
    assert document["resizes"][0]["usd_per_month"] == 31.5
    assert document["runs"][0]["decision"] == DECISION


def test_one_that_was_undone_says_so() -> None:
    """A report without numbers, or with strange ones, is no reason for none."""
    said = text.render(_statement({"ok": False, "from": None, "to": {"spec": 7}, "usd_per_month": "no"}))
    assert "unlimited -> -" in said
    assert "a-resize, undone: the server is as it was before" in said


def test_nothing_where_nothing_was_changed() -> None:
    assert "Specifications" not in text.render(data.compose(CONTRACT, ACCOUNT, [run()], head="00", at=NOW))


def test_the_line_of_amc_run_show() -> None:
    assert reports.line("resize", REPORT) == (
        "resize, lab.small -> lab.large, down for 7.2 s, p95 410 -> 206 ms"
    )
