"""What a statement says of protection: golden text, and the same as data."""

from datetime import UTC, date, datetime
from typing import Any

from orchestrator.contracts.protection import Hardening, HardeningException
from orchestrator.statements import data, text
from tests.unit.statements.test_statement import ACCOUNT, CONTRACT, run

NOW = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
DRILL: dict[str, Any] = {
    "server": "acme-erp1",
    "at": "2026-11-24T08:00:00+00:00",
    "kind": "newest",
    "moment": "2026-11-24T07:59:30+00:00",
    "backup": "20261124T075500",
    "rpo_seconds": 3.0,
    "rto_seconds": 64.2,
    "figures": "equal",
    "problems": [],
}
RECOVERY: dict[str, Any] = {
    "server": "acme-erp1",
    "target": "2026-03-01T10:32:10+00:00",
    "put_back": "",
    "only": "database",
    "backup": "20260228T220000",
    "fell_back": True,
    "lost_seconds": 0.4,
    "lost_commits": 12.0,
    "rto_seconds": 41.0,
    "missing_attachments": 2,
    "protection": "unprotected",
    "problems": [],
}
EXCEPTIONS = (
    HardeningException(rule="cron", who="R. Weber", why="the night jobs stay", until=date(2026, 11, 24)),
    HardeningException(rule="ssh", who="R. Weber", why="an old client", until=date(2026, 11, 23)),
)
OVERRIDE = {"server": "acme-erp1", "what": "no drill has proven a backup", "reason": "moving house"}
BAD_DRILL = DRILL | {
    "kind": "random",
    "rto_seconds": None,
    "figures": "differ",
    "problems": ["counts differ"],
}
PUT_BACK = RECOVERY | {
    "target": "latest",
    "put_back": "d-recover",
    "only": "",
    "backup": "",
    "fell_back": False,
    "lost_seconds": None,
    "lost_commits": None,
    "missing_attachments": None,
    "protection": "protected",
}
RUNS = (
    run(id="a-patch", options={"without_proven_backup": "moving house"}, overrides=[OVERRIDE]),
    run(id="b-drill", activity="drill", drills=[DRILL]),
    run(id="c-drill", activity="drill", state="failed", drills=[BAD_DRILL]),
    run(id="d-recover", activity="recover", options={"to": RECOVERY["target"]}, recoveries=[RECOVERY]),
    run(id="e-recover", activity="recover", recoveries=[PUT_BACK]),
    run(id="f-harden", activity="harden", hardened=[{"server": "acme-erp1", "not_applicable": 5}]),
)
GOLDEN = """\
Drills (aims: RPO 60 s, RTO 60 min)
when              server         restored moment                     RPO       RTO  figures
2026-11-24 12:00  acme-erp1      newest   2026-11-24 11:59:30        3 s    64.2 s  equal
    b-drill, backup 20261124T075500
2026-11-24 12:00  acme-erp1      random   2026-11-24 11:59:30        3 s         -  differ
    c-drill, backup 20261124T075500
    PROBLEM counts differ

Recoveries
when              server         to                   what             lost       RTO  left
2026-11-24 12:30  acme-erp1      2026-03-01 14:32:10  database        0.4 s      41 s  UNPROTECTED
    d-recover, backup 20260228T220000
    the newest backup could not be used, so an older one was
    commits after that moment, which did not come back: 12
    attachments that are missing: 2
2026-11-24 12:30  acme-erp1      put back             everything          -      41 s  protected
    e-recover, backup unknown
    what d-recover had set aside

Hardening exceptions
cron: until 2026-11-24
    by R. Weber: the night jobs stay
ssh: NO LONGER HOLDS, the rule is applied again; it ended with 2026-11-23
    by R. Weber: an old client
not applicable on acme-erp1: 5, listed in the run's report

Notes
"""


def statement(*runs: data.StatementRun, exceptions: tuple[HardeningException, ...] = ()) -> data.Statement:
    contract = CONTRACT.model_copy(update={"hardening": Hardening(exceptions=exceptions)})
    return data.compose(contract, ACCOUNT, runs, head="cd" * 32, at=NOW)


def test_the_text() -> None:
    """Drills with their problems, recoveries with what was lost, exceptions that hold or not."""
    shown = text.render(statement(*RUNS, exceptions=EXCEPTIONS))
    assert GOLDEN in shown
    assert "    option without proven backup: moving house\n" in shown
    assert "    option to: 2026-03-01 14:32:10\n" in shown
    assert "    passed over on acme-erp1: no drill has proven a backup; why: moving house\n" in shown
    assert [line for line in shown.splitlines() if len(line) > 100 or line != line.rstrip()] == []


def test_a_year_without_any_of_it() -> None:
    """That nothing was tried is said; that nothing was recovered needs no words."""
    shown = text.render(statement(run()))
    assert "RTO 60 min)\nno drills: whether the backups come back was not tried\n" in shown
    assert "Hardening exceptions\nnone\n" in shown
    assert "Recoveries" not in shown


def test_many_servers_and_long_words_stay_readable() -> None:
    """In 100 columns."""
    names = [f"acme-erp{number}" for number in range(20)]
    shown = text.render(statement(run(servers=names, state="rolled-back", words="word " * 60)))
    assert "20 servers" in shown and "acme-erp19" in shown
    assert [line for line in shown.splitlines() if len(line) > 100] == []


def test_the_documents_names_are_those_it_promises() -> None:
    """Whoever reads the JSON relies on them: the module's docstring names each."""
    document = data.document(statement(*RUNS, exceptions=EXCEPTIONS))
    rows = [*document["runs"][:1], *document["drills"][:1], *document["recoveries"][:1]]
    rows += [document["hardening"], *document["hardening"]["exceptions"], *document["runs"][0]["overrides"]]
    names = [name for row in rows for name in row]
    assert [name for name in names if name not in (data.__doc__ or "")] == []
    assert [row["run"] for row in document["drills"]] == ["b-drill", "c-drill"]
    assert document["recoveries"][0]["at"] == "2026-11-24T08:30:00+00:00"
    assert [row["holds"] for row in document["hardening"]["exceptions"]] == [True, False]
    assert document["hardening"]["not_applicable"] == {"acme-erp1": 5}
    assert {"drills", "recoveries", "hardened"} & set(document["runs"][0]) == set()
