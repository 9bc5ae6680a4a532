"""roles/backup_server/files/drill_judge.py: what a drill's report says of what it saw."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

AT = "2026-11-24T12:00:00+00:00"
FIGURES = {"counts": {"parties": 3, "sales": {"draft": 1}}, "sums": {"sales": "10.50"}, "hash": "aa"}


@pytest.fixture
def judge(backup_program: Callable[[str], ModuleType]) -> ModuleType:
    return backup_program("drill_judge")


def note(**other: Any) -> dict[str, Any]:
    """What `begin` chose."""
    mark = {"at": AT, "restore_point": "amc-1", "figures": FIGURES}
    backup = {"id": "b2", "ended": AT}
    return {"kind": "newest", "seed": None, "mark": mark, "backup": backup, "rpo_seconds": 0.2} | other


def seen(**other: Any) -> dict[str, Any]:
    """A drill that went well."""
    began = {"make": 100, "deploy": 103.5, "cut_off": 140, "recover": 145, "ask": 160, "destroy": 163}
    return {
        "run": "r1",
        "began": began,
        "answered": 161,
        "ended": 164,
        "figures": FIGURES,
        "check": {"ok": True},
        "recovery": {"from_backup": {"id": "b2", "ended": AT}, "fell_back_from": []},
        "reached_outside": False,
        "problem": "",
        "gone": ["drill-1"],
    } | other


def test_all_equal_is_good_and_its_times_are_those_seen(judge: ModuleType) -> None:
    """make at 100, recover at 145, answered at 161: RTO 61 s from nothing, 16 s from the recovery's start."""
    report = judge.report("x", note(), seen(), AT)
    assert (report["ok"], report["figures_equal"], report["differences"], report["problems"]) == (
        True,
        True,
        [],
        [],
    )
    assert (report["rpo_seconds"], report["rto_seconds"], report["restore_seconds"]) == (0.2, 61.0, 16.0)
    assert report["seconds_by_step"] == {
        "make": 3.5,
        "deploy": 36.5,
        "cut_off": 5.0,
        "recover": 15.0,
        "ask": 3.0,
        "destroy": 1.0,
    }


def test_a_figure_that_differs_is_named_with_both_values(judge: ModuleType) -> None:
    """Deep in the document, missing on one side, or another text for the same number: all are differences."""
    recovered = {"counts": {"parties": 4, "sales": {"done": 1}}, "sums": {"sales": "10.5"}, "hash": "aa"}
    report = judge.report("x", note(), seen(figures=recovered), AT)
    assert [(each["what"], each["recorded"], each["recovered"]) for each in report["differences"]] == [
        ("counts.parties", 3, 4),
        ("counts.sales.done", None, 1),
        ("counts.sales.draft", 1, None),
        ("sums.sales", "10.50", "10.5"),
    ]
    assert not report["ok"] and not report["figures_equal"]
    assert "counts.parties" in report["problems"][0]


def test_figures_of_a_newer_kind_than_the_mark_are_no_difference(judge: ModuleType) -> None:
    """An updated profile counts more than it did when the mark was made."""
    assert judge.report("x", note(), seen(figures={**FIGURES, "missing": []}), AT)["ok"]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"check": {"ok": False, "words": "nginx is away"}}, "M EMS did not work: nginx is away"),
        ({"problem": "Copy: no space"}, "Copy: no space"),
        ({"reached_outside": True}, "not cut off"),
        ({"figures": None}, "did not come to its end"),
        ({"figures": None, "check": None, "recovery": None, "answered": None}, "did not come to its end"),
    ],
)
def test_anything_else_that_is_wrong_is_a_problem(
    judge: ModuleType, what: dict[str, Any], words: str
) -> None:
    """Each alone makes the drill a failed one, in words."""
    report = judge.report("x", note(), seen(**what), AT)
    assert not report["ok"]
    assert words in report["problems"][0]


def test_a_change_that_did_not_arrive_is_a_problem_a_silent_server_is_not(judge: ModuleType) -> None:
    """Backups of a server that is down can be proven; one whose changes are not received is not protected."""
    late = note(rpo_seconds=None, words=["NOT SAFE: it did not arrive"])
    assert judge.report("x", late, seen(), AT)["problems"] == ["NOT SAFE: it did not arrive"]
    silent = note(rpo_seconds=None, words=["How long a change takes to be safe is not known: it is down"])
    assert judge.report("x", silent, seen(), AT)["ok"]


def test_the_backup_that_was_really_used_is_the_proven_one(judge: ModuleType) -> None:
    """The recovery fell back from the newest to the one before: that one came back, and it is said."""
    recovery = {"from_backup": {"id": "b1", "ended": "2026-11-23T12:00:00+00:00"}, "fell_back_from": ["b2"]}
    report = judge.report("x", note(), seen(recovery=recovery), AT)
    assert (report["backup_id"], report["backup_ended"][:10], report["fell_back_from"]) == (
        "b1",
        "2026-11-23",
        ["b2"],
    )


def test_a_drill_that_never_began_has_a_report(judge: ModuleType) -> None:
    """Nothing to recover: refused, no times, no server."""
    nothing = seen(began={}, answered=None, figures=None, check=None, recovery=None, gone=[], ended=5)
    report = judge.report("x", {"refused": "no mark was ever made"}, nothing, AT)
    assert report["problems"] == ["no mark was ever made"]
    assert (report["ok"], report["seconds_by_step"], report["rto_seconds"]) == (False, {}, None)
