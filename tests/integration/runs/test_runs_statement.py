"""From the servers' reports to the statement, on both databases: options, overrides, drills, recoveries."""

from datetime import UTC, datetime
from pathlib import Path

from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import connect, reading
from orchestrator.ledger.reading import head, year_account
from orchestrator.runs import beginning, outcome, store, view
from orchestrator.runs.evidence import write_json
from orchestrator.runs.states import Event
from orchestrator.settings import Settings
from orchestrator.statements import data, text

from .conftest import NOW, Place

REASON = "the backup server is being replaced"
BEAT = ["2026-11-24T12:00:00+00:00", "2026-11-24T12:02:00+00:00"]
UNIT = {"name": "amc-x", "started": "2026-11-24T12:01:00+00:00", "ended": "2026-11-24T12:10:00+00:00"}
ENDED = datetime(2026, 11, 24, 12, 15, tzinfo=UTC)
DRILL = {
    "at": "2026-11-24T12:14:00+00:00",
    "backup_id": "20261124T115500",
    "moment": "2026-11-24T11:59:30+00:00",
    "rpo_seconds": 0.4,
    "rto_seconds": 64.2,
    "figures_equal": True,
}
RECOVERY = {
    "target": "latest",
    "lost_seconds": 0.3,
    "protection": {"state": "unprotected"},
    "unit": UNIT,
}


def test_what_servers_report_is_on_the_statement(place: Place, house_settings: Settings) -> None:
    """A run's options, what was passed over, the drill's figures, a server that was left unprotected."""
    engine = connect(house_settings.database_url)

    def worked(activity: str, report: dict[str, object], **options: str) -> str:
        run = place(activity, activity, **options)
        evidence = beginning.begin(house_settings, engine, run.id, NOW)
        write_json(evidence.attempt(1).claim, {})
        write_json(evidence.attempt(1).effort, [BEAT])
        write_json(evidence.reports / "acme-erp1" / f"{activity}.json", report)
        outcome.settle(house_settings, engine, run.id, Event.SUCCEED, "", now=ENDED)
        return run.id

    override = {"what": "no drill has proven a backup", "reason": REASON}
    worked("patch", {"packages": [], "cves": [], "overrides": [override]}, without_proven_backup=REASON)
    worked("drill", DRILL, moment="newest")
    recovery = worked("recover", RECOVERY)

    contract = read_customer(house_settings.inventories, "acme")
    with reading(engine) as connection:
        account = year_account(connection, contract, 2026, ENDED)
        rows = store.listing(connection, "acme")
        last = head(connection, contract)
    runs = [data.StatementRun(**view.accounted(house_settings, run)) for run in rows]
    statement = data.compose(contract, account, runs, head=last, at=ENDED)
    document = data.document(statement)
    by_activity = {run["activity"]: run for run in document["runs"]}
    assert by_activity["patch"]["options"] == {"without_proven_backup": REASON}
    assert by_activity["patch"]["overrides"] == [{"server": "acme-erp1"} | override]
    # The unit on the server worked on after the controller: ten minutes, charged in quarters of an hour.
    assert (by_activity["recover"]["raw_seconds"], by_activity["recover"]["charged_seconds"]) == (600, 900)
    assert [(row["rto_seconds"], row["figures"]) for row in document["drills"]] == [(64.2, "equal")]
    assert [(row["run"], row["lost_seconds"], row["protection"]) for row in document["recoveries"]] == [
        (recovery, 0.3, "unprotected")
    ]
    shown = text.render(statement)
    assert (
        "2026-11-24 16:14  acme-erp1      -        2026-11-24 15:59:30      0.4 s    64.2 s  equal" in shown
    )
    assert "0.3 s         -  UNPROTECTED" in shown
    assert f"passed over on acme-erp1: no drill has proven a backup; why: {REASON}" in " ".join(shown.split())


def test_a_report_that_makes_no_sense_keeps_no_hold(place: Place, house_settings: Settings) -> None:
    """A server can't keep its run from being settled."""
    engine = connect(house_settings.database_url)
    run = place("recover", "one")
    evidence = beginning.begin(house_settings, engine, run.id, NOW)
    write_json(evidence.attempt(1).claim, {})
    write_json(evidence.attempt(1).effort, [BEAT])
    write_json(evidence.reports / "acme-erp1" / "recover.json", {"unit": {"attempts": ["x"]}})
    outcome.settle(house_settings, engine, run.id, Event.SUCCEED, "", now=ENDED)
    with reading(engine) as connection:
        found = store.get(connection, run.id)
    assert "a report can't be read" in found.words
    assert (found.is_open, found.raw) == (False, 120)
    assert Path(found.inventory).name == "acme"
