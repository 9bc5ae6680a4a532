"""What servers' reports say: a line for `amc run show`, rows for the statement."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.runs.reports import counts, line, rows

DRILL: dict[str, Any] = {
    "at": "2026-11-24T08:00:00+00:00",
    "kind": "newest",
    "moment": "2026-11-24T07:59:00+00:00",
    "backup_id": "20261124T075500",
    "rpo_seconds": 3,
    "rto_seconds": 64.02,
    "figures_equal": True,
    "differences": [],
    "problems": [],
}
BACKUP = {
    "backup": {"id": "b1", "bytes": 36_400_000, "seconds": 12.34, "wal_lag_bytes": 0, "problems": []},
    "protection": {"state": "protected", "since": "…", "why": ""},
}
RECOVERY = {
    "target": "latest",
    "put_back": "",
    "only": "",
    "from_backup": {"id": "b1"},
    "fell_back_from": [],
    "lost_seconds": 0.0,
    "missing_attachments": [],
    "rto_seconds": 41.0,
    "problem": "",
    "protection": {"state": "unprotected"},
}


@pytest.mark.parametrize(
    ("activity", "report", "said"),
    [
        ("check", {"check": {"ok": True}}, "check"),
        ("patch", {"packages": [{}, {}], "cves": ["CVE-1"]}, "patch, 2 packages, 1 cves"),
        (
            "patch",
            {"packages": [], "overrides": [{"what": "no proven backup", "reason": "moving house"}]},
            "patch, 0 packages, overridden: no proven backup",
        ),
        ("backup", BACKUP, "backup, 36.4 MB, 12.3 s, WAL 0 bytes behind, protected"),
        (
            "backup",
            {"backup": {"problems": ["no WAL came"]}, "protection": None},
            "backup, not whole: no WAL came",
        ),
        ("backup", {"backup": None, "protection": None}, "backup"),
        ("drill", DRILL, "drill, figures equal, RPO 3 s, RTO 64 s, backup 20261124T075500"),
        (
            "drill",
            DRILL
            | {"figures_equal": False, "differences": [{"what": "counts"}], "problems": ["they differ"]},
            "drill, figures differ, RPO 3 s, RTO 64 s, backup 20261124T075500, they differ",
        ),
        (
            "drill",
            {"figures_equal": False, "rto_seconds": None, "problems": ["no server"]},
            "drill, figures not compared, no server",
        ),
        ("recover", RECOVERY, "recover, to latest, 0 s lost, RTO 41 s, unprotected"),
        (
            "recover",
            RECOVERY
            | {
                "lost_commits": 12,
                "only": "files",
                "missing_attachments": ["a"],
                "fell_back_from": ["b2"],
                "problem": "x",
            },
            "recover, to latest, files only, 0 s lost, 12 later commits left out, 1 attachments missing, "
            "from an older backup, RTO 41 s, unprotected, x",
        ),
        ("recover", {"target": "latest", "put_back": "run-1"}, "recover, put back what run-1 had set aside"),
        (
            "harden",
            {"confirmed": True, "changed": ["a", "b"], "exceptions": [], "not_applicable": ["c"], "why": ""},
            "harden, confirmed, 2 changed, 0 exceptions, 1 not applicable",
        ),
        (
            "harden",
            {"confirmed": False, "changed": [], "rolled_back": True, "why": "no new login"},
            "harden, 0 changed, rolled back, no new login",
        ),
    ],
)
def test_a_line_says_what_matters(activity: str, report: dict[str, Any], said: str) -> None:
    """One line a report."""
    assert line(activity, report) == said


def test_a_line_stays_a_line() -> None:
    """A problem with a whole log in it is cut; the report has all of it."""
    assert len(line("drill", {"problems": ["word " * 1000]})) < 200


def test_packages_and_cves_are_counted_over_all_servers() -> None:
    """A CVE that two servers close is one; no report of a patch is no zero."""
    one = {"packages": [{}], "cves": ["CVE-1", "CVE-2"]}
    two = one | {"cves": ["CVE-2"]}
    assert counts({"a": {"patch": one}, "b": {"patch": two}}) == {"packages": 2, "cves": 2}
    assert counts({"a": {"check": {}}}) == {"packages": None, "cves": None}


def test_the_rows_of_a_run() -> None:
    """Of every server; a drill's own recovery, on its throw-away server, is no recovery of the customer's."""
    found = rows(
        {
            "erp1": {"drill": DRILL, "harden": {"not_applicable": ["a", "b"]}},
            "drill-1": {"recover": RECOVERY | {"drill": True}},
            "erp2": {"recover": RECOVERY, "patch": {"overrides": [{"what": "w", "reason": "r"}]}},
        }
    )
    assert [(row["server"], row["figures"], row["backup"]) for row in found["drills"]] == [
        ("erp1", "equal", "20261124T075500")
    ]
    assert [(row["server"], row["lost_seconds"], row["protection"]) for row in found["recoveries"]] == [
        ("erp2", 0.0, "unprotected")
    ]
    assert found["overrides"] == [{"server": "erp2", "what": "w", "reason": "r"}]
    assert found["hardened"] == [{"server": "erp1", "not_applicable": 2}]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
OTHERS = ("overrides", "packages", "cves", "not_applicable", "why", "changed")
KEYS = sorted({*DRILL, *BACKUP, *RECOVERY, *OTHERS})


@settings(max_examples=300)
@given(
    st.sampled_from(["patch", "backup", "drill", "recover", "harden", "other"]),
    st.dictionaries(st.sampled_from(KEYS), JSON),
)
def test_a_server_cannot_break_a_reader(activity: str, report: dict[str, Any]) -> None:
    """Reports come from servers: whatever stands in them, a line can be printed and rows can be made."""
    said = line(activity, report)
    assert "\n" not in said
    said.encode()
    counts({"erp1": {activity: report}})
    json.dumps(rows({"erp1": {activity: report}}), allow_nan=False).encode()
