"""What a newcomer sees: `scripts/up` from a fresh clone, twice, and the account that it leaves."""

import re
from collections import Counter
from typing import Any

from installation import Installation

CYCLE = ["deploy", "check", "backup", "monitor", "drill", "patch", "harden", "recover", "resize"]
FIXED_SECONDS = {"patch": 45 * 60, "harden": 60 * 60, "resize": 60 * 60}


def report_of(installation: Installation, activity: str) -> dict[str, Any]:
    """What the newest run of the activity reports of acme's server."""
    run = next(run for run in installation.runs("acme") if run["activity"] == activity)
    found: dict[str, Any] = installation.json("run", "show", run["id"])["reports"]["acme-erp1"][activity]
    return found


def test_the_statement_shows_the_runs_with_their_hours(installation: Installation) -> None:
    """Each run of the first cycle is done, with held, raw and charged seconds; the account adds up."""
    statement = installation.json("statement", "--customer", "acme", "--year", installation.year())
    runs = statement["runs"][: len(CYCLE)]
    assert [run["activity"] for run in runs] == CYCLE
    assert [run["state"] for run in runs] == ["done"] * len(CYCLE)
    for run in runs:
        if run["activity"] != "recover":
            expected = FIXED_SECONDS.get(run["activity"], 0)
            assert (run["held_seconds"], run["charged_seconds"]) == (expected, expected), run["activity"]
    # A recovery is work by the clock: two hours held, what it took charged in steps of a quarter of an hour.
    recovery = runs[CYCLE.index("recover")]
    assert recovery["held_seconds"] == 120 * 60
    assert recovery["charged_seconds"] == -(-recovery["raw_seconds"] // 900) * 900
    assert all(run["raw_seconds"] > 0 for run in runs)
    assert all(run["evidence"] == "whole" for run in runs)
    account = statement["account"]
    grants = account["opening_seconds"] + account["granted_seconds"] + account["bought_seconds"]
    spent = account["used_seconds"] + account["held_seconds"] + account["expired_seconds"]
    assert grants - spent == account["closing_seconds"]
    assert account["held_seconds"] == 0
    assert len(statement["notes"]) >= 3


def test_the_patch_report_names_packages_and_cves(installation: Installation) -> None:
    """Packages with both versions, CVE ids from their changelogs, and M EMS answers afterwards."""
    report = report_of(installation, "patch")
    assert report["packages"]
    assert all(package["from"] != package["to"] for package in report["packages"])
    assert report["cves"]
    assert all(cve.startswith("CVE-") for cve in report["cves"])
    assert report["check_after"]["ok"] is True
    assert report["failed_units"] == []


def test_the_resize_is_on_the_statement_and_inside_the_server(installation: Installation) -> None:
    """From one specification of the inventory to the next, while users worked: no call of theirs failed."""
    report = report_of(installation, "resize")
    assert (report["ok"], report["from"]["spec"], report["to"]["spec"]) == (True, "lab.medium", "lab.large")
    assert installation.on("acme-erp1", "nproc").split() == ["2"]
    assert "512MB" not in installation.on(
        "acme-erp1", "sudo runuser -u postgres -- psql -XAtc 'SHOW shared_buffers'"
    )
    said = installation.first_up
    assert re.search(r"meanwhile users sent \d+ calls: 0 failed", said), said[-3000:]
    run = next(run for run in installation.runs("acme") if run["activity"] == "resize")
    assert run["decision"]["why"] == "scripts/up shows it"


def test_no_password_is_in_a_journal(installation: Installation) -> None:
    """Ansible notes what it runs in the servers' journals: never a secret of the controller."""
    journals = {
        server: installation.on(server, "sudo journalctl --output=cat") for server in ("acme-erp1", "backup1")
    }
    assert all("Invoked with" in journal for journal in journals.values())
    secrets = sorted((installation.home / "secrets/acme").glob("*_password"))
    assert len(secrets) >= 5
    found = [
        (file.name, server)
        for file in secrets
        for server, journal in journals.items()
        if file.read_text().split()[0] in journal
    ]
    assert found == []


def test_a_second_up_is_a_second_cycle(installation: Installation) -> None:
    """The second start orders a cycle of its own, each order once, and nothing is pending any more."""
    before = len(installation.runs("acme"))
    up = installation.run("scripts/up", deadline_s=600)
    assert up.returncode == 0, up.stdout + up.stderr
    runs = installation.runs("acme")
    # A backup that was proven today stays proven.
    expected = [activity for activity in CYCLE if activity != "drill"]
    assert [run["activity"] for run in runs[: len(runs) - before]] == expected[::-1]
    assert set(Counter(run["key"] for run in runs).values()) == {1}
    report = report_of(installation, "patch")
    assert report["packages"] == []


def test_the_server_has_no_pending_security_update(installation: Installation) -> None:
    """Asked of apt on the server itself."""
    listed = installation.on("acme-erp1", "apt-get -s -qq upgrade --with-new-pkgs")
    assert [line for line in listed.splitlines() if line.startswith("Inst")] == []
