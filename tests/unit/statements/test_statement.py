"""A year's statement, as data and as text."""

from datetime import UTC, date, datetime
from typing import Any

from orchestrator.contracts.clauses import NOTES
from orchestrator.contracts.model import Contract, Hours, Mode, Term, Window
from orchestrator.ledger.accounts import YearAccount
from orchestrator.statements import data, text

CONTRACT = Contract(
    customer="acme",
    customer_name="Acme Trading LLC",
    number="AMC-2026-0001",
    version=3,
    mode=Mode.RETAINER,
    time_zone="Asia/Dubai",
    term=Term(start=date(2026, 1, 1)),
    hours=Hours(per_calendar_year=60),
    maintenance_windows=(Window(days=("friday",), start="22:00", end="04:00"),),
)
ACCOUNT = YearAccount(
    year=2026,
    opening=3600,
    granted=216000,
    bought=7200,
    used=2700,
    held=1800,
    expired=900,
    closing=221400,
    overage=600,
    uncapped=0,
)
NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


def run(**other: Any) -> data.StatementRun:
    fields: dict[str, Any] = {
        "id": "acme-patch-20261124-080000-x7k2",
        "activity": "patch",
        "servers": ["acme-erp1"],
        "options": {},
        "decision": None,
        "urgent": None,
        "planned_at": None,
        "cause": "engineer",
        "check": False,
        "clause": "C4",
        "state": "done",
        "words": "",
        "ordered_at": NOW,
        "ended_at": NOW,
        "held_seconds": 2700,
        "raw_seconds": 905,
        "rounded_seconds": 1800,
        "charged_seconds": 2700,
        "overage_seconds": 0,
        "packages": 37,
        "cves": 76,
        "overrides": [],
        "drills": [],
        "recoveries": [],
        "resizes": [],
        "hardened": [],
        "evidence": "whole",
        "manifest_sha256": "ab" * 32,
    }
    return data.StatementRun(**fields | other)


def statement(*runs: data.StatementRun) -> data.Statement:
    return data.compose(CONTRACT, ACCOUNT, runs, head="cd" * 32, at=NOW)


def test_a_run_belongs_to_the_year_of_the_contracts_clock() -> None:
    """New Year's Eve at 20:30 UTC is the next year in Dubai."""
    late = run(id="late", ordered_at=datetime(2026, 12, 31, 20, 30, tzinfo=UTC))
    early = run(id="early", ordered_at=datetime(2025, 12, 31, 20, 30, tzinfo=UTC))
    assert [each.id for each in statement(late, run(id="mid"), early).runs] == ["early", "mid"]


def test_the_documents_names_are_those_it_promises() -> None:
    """Whoever reads the JSON relies on them: the module's docstring names each."""
    document = data.document(statement(run()))
    names = [*document, *document["account"], *document["runs"][0], *document["notes"][0]]
    assert [name for name in names if name not in (data.__doc__ or "")] == []
    assert document["account"]["opening_seconds"] == 3600
    assert document["runs"][0]["ordered_at"] == "2026-11-24T08:30:00+00:00"
    assert document["ledger_head"] == "cd" * 32


def test_the_text_shows_the_account_from_opening_to_closing() -> None:
    """As a customer adds it up, overage apart."""
    lines = text.render(statement(run())).splitlines()
    account = [line.split("   ")[0].split()[0] + " " + line.split()[-1] for line in lines[3:10]]
    assert account == [
        "brought 1:00",
        "+ 60:00",
        "+ 2:00",
        "- 0:45",
        "- 0:30",
        "- 0:15",
        "= 61:30",
    ]
    assert "overage               0:10" in lines[10]


def test_the_text_shows_each_run_with_held_raw_rounded_and_charged() -> None:
    """In the contract's time zone, with what was patched and the reason of a refusal."""
    refused = run(state="refused", held_seconds=None, packages=None, cves=None, words="E1 excludes it")
    shown = text.render(statement(run(), refused))
    (line,) = [line for line in shown.splitlines() if "done" in line]
    assert line.split() == [
        *("2026-11-24", "12:30", "patch", "acme-erp1", "done"),
        *("0:45", "0:15:05", "0:30", "0:45", "37", "76"),
    ]
    assert "E1 excludes it" in shown


def test_an_emergency_and_a_planned_time_are_told() -> None:
    """Why it ran outside the windows; when a run that waits is planned, on the contract's clock."""
    planned = datetime(2026, 11, 27, 18, tzinfo=UTC)
    said = statement(run(urgent="a hole"), run(id="x", state="waiting", planned_at=planned))
    shown = text.render(said)
    assert "outside the maintenance windows, under the emergency rule: a hole" in shown
    assert shown.count("planned for 2026-11-27 22:00") == 1
    urgent, waits = data.document(said)["runs"]
    assert (urgent["urgent"], urgent["planned_at"]) == ("a hole", None)
    assert (waits["urgent"], waits["planned_at"]) == (None, "2026-11-27T18:00:00+00:00")


def test_the_text_prints_every_note_and_the_ledgers_head() -> None:
    """The contract asks for the notes on every statement."""
    shown = " ".join(text.render(statement()).split())
    assert all(note.text in shown for note in NOTES)
    assert "cd" * 32 in shown
    assert "no runs" in shown


def test_a_comprehensive_contract_shows_its_effort_and_no_cap() -> None:
    """There is no account of hours to add up."""
    contract = CONTRACT.model_copy(update={"mode": Mode.COMPREHENSIVE, "hours": Hours()})
    account = YearAccount(2026, 0, 0, 0, 0, 0, 0, 0, overage=0, uncapped=5400)
    shown = text.render(data.compose(contract, account, [], head="0" * 64, at=NOW))
    assert "no cap on hours; effort logged 1:30" in shown
    assert "granted" not in shown
