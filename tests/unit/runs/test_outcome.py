"""What a run's evidence says of its end, and what a failed run costs."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.activities import ActivityTerms, Charge, WhenUsedUp
from orchestrator.contracts.model import Hours
from orchestrator.runs.attempts import Fate
from orchestrator.runs.evidence import Evidence, write_json
from orchestrator.runs.outcome import judge, terms_at_end
from orchestrator.runs.states import Event

GOOD = {"status": "successful", "rc": 0, "words": "", "servers": {"erp1": {}, "erp2": {}}}


def evidence(tmp_path: Path, result: dict[str, Any]) -> Evidence:
    found = Evidence(tmp_path)
    write_json(found.order, {"servers": ["erp1", "erp2"], "activity": "patch"})
    write_json(found.attempt(1).claim, {})
    write_json(found.attempt(1).result, GOOD | result)
    return found


def test_a_run_is_done_when_every_ordered_server_was_worked_on(tmp_path: Path) -> None:
    """Success means all of them."""
    assert judge(evidence(tmp_path, {}), Fate.FINISHED, "") == (Event.SUCCEED, "")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"servers": {"erp1": {}}}, "did nothing on erp2"),
        ({"servers": {}}, "did nothing on erp1, erp2"),
        ({"status": "failed", "rc": 2, "words": "erp1: apt: no space"}, "erp1: apt: no space"),
        ({"status": "failed", "rc": 4}, "ansible-playbook: failed, 4"),
        ({"status": "timeout", "rc": 254}, "timeout"),
        ({"status": "error", "rc": None, "words": "there is no playbook"}, "there is no playbook"),
    ],
)
def test_everything_else_failed_and_says_why(tmp_path: Path, result: dict[str, Any], words: str) -> None:
    """Among it a playbook that matched no host, which Ansible calls a success."""
    event, said = judge(evidence(tmp_path, result), Fate.FINISHED, "")
    assert event is Event.FAIL
    assert words in said


def test_a_report_of_the_activity_counts_as_work_on_its_server(tmp_path: Path) -> None:
    """A drill touches a throw-away server; a report of another activity proves nothing."""
    found = evidence(tmp_path, {"servers": {"erp1": {}, "backup1": {}}})
    write_json(found.reports / "erp2" / "check.json", {})
    assert judge(found, Fate.FINISHED, "")[0] is Event.FAIL
    write_json(found.reports / "erp2" / "patch.json", {})
    assert judge(found, Fate.FINISHED, "") == (Event.SUCCEED, "")


def test_a_report_that_is_not_ok_is_no_success(tmp_path: Path) -> None:
    """However well the playbook ended. The `ok` of another activity or server decides nothing."""
    found = evidence(tmp_path, {})
    write_json(found.reports / "other" / "patch.json", {"ok": False})
    write_json(found.reports / "erp1" / "check.json", {"ok": False})
    assert judge(found, Fate.FINISHED, "") == (Event.SUCCEED, "")
    write_json(found.reports / "erp2" / "patch.json", {"ok": False, "packages": []})
    assert judge(found, Fate.FINISHED, "") == (Event.FAIL, "erp2: patch, 0 packages")


def test_a_server_that_says_it_rolled_back_decides(tmp_path: Path) -> None:
    """One such report is enough, also when an attempt died after it."""
    found = evidence(tmp_path, {"status": "failed", "rc": 2})
    write_json(found.reports / "erp2" / "patch.json", {"rolled_back": True})
    expected = (Event.ROLL_BACK, "erp2 is as it was before patch")
    assert judge(found, Fate.FINISHED, "") == expected
    assert judge(found, Fate.DEAD, "all attempts died") == expected


def test_lost_and_dead_runs(tmp_path: Path) -> None:
    """A person decides about what is unknown; attempts that all died are a failure."""
    found = evidence(tmp_path, {})
    assert judge(found, Fate.UNKNOWN, "why") == (Event.LOSE, "why")
    assert judge(found, Fate.DEAD, "why") == (Event.FAIL, "why")


HOURS = Hours(increment_minutes=15, minimum_minutes=15)


@pytest.mark.parametrize(
    ("event", "raw_minutes", "charge"),
    [
        (Event.SUCCEED, 1, Charge.FIXED),
        (Event.FAIL, 1, Charge.CLOCK),
        (Event.ROLL_BACK, 29, Charge.CLOCK),
        (Event.LOSE, 1, Charge.CLOCK),
        (Event.FAIL, 31, Charge.FIXED),
        (Event.FAIL, 600, Charge.FIXED),
    ],
)
def test_a_fixed_price_is_for_work_that_was_done(event: Event, raw_minutes: int, charge: Charge) -> None:
    """A failed run costs its time rounded up, and never more than the 40 minutes that were agreed."""
    terms = ActivityTerms(charge=Charge.FIXED, minutes=40, when_used_up=WhenUsedUp.REFUSE, clause="C4")
    assert terms_at_end(HOURS, terms, event, raw_minutes * 60).charge is charge


@pytest.mark.parametrize("charge", [Charge.NONE, Charge.CLOCK])
def test_other_charges_stay_as_they_are(charge: Charge) -> None:
    """Logged work stays free, work by the clock stays by the clock."""
    terms = ActivityTerms(charge=charge, minutes=60, when_used_up=WhenUsedUp.REFUSE, clause="C4")
    assert terms_at_end(HOURS, terms, Event.FAIL, 60) is terms
