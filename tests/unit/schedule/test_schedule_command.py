"""`amc schedule` as a user runs it, on the demo contracts: output, documents, exit codes."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


def amc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "schedule", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "AMC_INVENTORIES": str(REPOSITORY / "inventories")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_table_is_in_the_contracts_time_zone() -> None:
    """A line a run, in order: 40 nights have 40 backups or one less, and a patch."""
    done = amc("list", "--customer", "acme", "--days", "40")
    head, *lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert head == "Acme Trading LLC, AMC-2026-0001: 40 days, times in Asia/Dubai"
    assert sum(" backup " in line for line in lines) == 40
    assert all("+0400" in line for line in lines)
    assert any(" patch " in line and "22:30" in line for line in lines)


def test_json_and_the_table_name_the_same_runs() -> None:
    """One document: times with their offset, seconds, and reasons in words."""
    runs = json.loads(amc("list", "--customer", "globex", "--days", "400", "--json").stdout)
    patches = [run for run in runs if run["activity"] == "patch"]
    assert len(patches) in (12, 13, 14)
    for run in patches:
        assert run["uid"] == f"globex-patch-{run['nominal'][:10]}"
        assert datetime.fromisoformat(run["planned"]) >= datetime.fromisoformat(run["due"])
        assert datetime.fromisoformat(run["planned"]).tzinfo == UTC
        assert (run["lasts_seconds"], run["windows_only"], run["time_zone"]) == (3600, True, "Europe/Berlin")
        assert bool(run["reasons"]) == (run["planned"] != run["due"])


def test_an_icalendar_text() -> None:
    """Lines end in CRLF, as the format wants it, also through a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "schedule", "list", "--customer", "acme", "--ics"],
        cwd=REPOSITORY,
        env={**os.environ, "AMC_INVENTORIES": str(REPOSITORY / "inventories")},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith(b"BEGIN:VCALENDAR\r\n")
    assert done.stdout.count(b"\n") == done.stdout.count(b"\r\n")
    assert done.stdout.count(b"SUMMARY:backup") == 30


def test_explain_at_a_time_of_the_contracts_clock() -> None:
    """Globex is frozen over the year's end: its January patch is told with the reason."""
    done = amc("explain", "--customer", "globex", "patch", "--at", "2027-01-01")
    assert done.returncode == 0
    assert "names Sunday 2027-01-03 01:30 (Europe/Berlin)" in done.stdout
    assert "There is a freeze from 2026-12-18 to 2027-01-06" in done.stdout
    assert "So it runs on Sunday 2027-01-10 01:00 (2027-01-10 00:00 UTC), and not earlier." in done.stdout
    told = json.loads(amc("explain", "--customer", "globex", "patch", "--at", "2027-01-01", "--json").stdout)
    assert told["occurrence"]["planned"] == "2027-01-10T00:00:00+00:00"
    assert "\n".join(told["sentences"]) == done.stdout.rstrip("\n")


def test_explain_what_nobody_scheduled() -> None:
    """No rule is no fault: it is said, and what comes round instead."""
    done = amc("explain", "--customer", "acme", "deploy")
    assert done.returncode == 0
    assert done.stdout.startswith("deploy of acme does not come round by itself")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("explain", "--customer", "acme", "ptach"), 2, "did you mean `patch`?"),
        (("explain", "--customer", "acme", "training"), 4, "E4"),
        (("explain", "--customer", "acme", "patch", "--at", "soon"), 2, "is no time"),
        (("explain", "--customer", "acme", "patch", "--at", "9999-12-31"), 2, "from 2000 to 2199"),
        (("explain", "--customer", "provider", "patch"), 2, "is no customer"),
        (("list", "--customer", "nobody"), 3, "no such file"),
        (("list", "--customer", "acme", "--json", "--ics"), 2, "leave one of them out"),
        (("list", "--customer", "acme", "--days", "0"), 2, "--days"),
    ],
)
def test_what_cannot_be_answered_is_said_in_words(arguments: tuple[str, ...], code: int, words: str) -> None:
    """Exit codes as everywhere, and no traceback."""
    done = amc(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert words in done.stderr


def test_a_run_that_fits_no_window_is_told_by_the_contracts_check(tmp_path: Path) -> None:
    """It is no fault of the file, so the exit code stays 0; but nobody should wait for that patch."""
    text = (REPOSITORY / "inventories/globex/group_vars/all/contract.yml").read_text()
    (tmp_path / "contract.yml").write_text(text.replace("lasts_minutes: 60", "lasts_minutes: 300"))
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "contract", "check", str(tmp_path / "contract.yml")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    told = "  never runs by itself: patch: it takes 5 h, and no window is open for more than 4 h"
    assert told in done.stdout.splitlines()
