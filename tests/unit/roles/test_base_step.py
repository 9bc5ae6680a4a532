"""roles/base/files/step.py: what a request means in each state, and the unit's side with real commands."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FIRST = {"started": "2026-11-24T08:00:00+00:00", "ended": "2026-11-24T08:01:00+00:00"}


@pytest.fixture
def step(
    patch_program: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    module = patch_program("step")
    monkeypatch.setattr(module, "RUNS", tmp_path)
    (tmp_path / "r1").mkdir()
    return module


def state(*codes: int | None) -> dict[str, Any]:
    attempts = [
        {**FIRST, "rc": code} if code is not None else {**FIRST, "ended": None, "rc": None} for code in codes
    ]
    return {"unit": "amc-r1-apt", "log": "", "attempts": attempts, "outcome": None}


@pytest.mark.parametrize(
    ("known", "active", "means"),
    [
        (None, False, "start"),
        (None, True, "wait"),  # just started, its state not yet written
        (state(None), True, "wait"),
        (state(None), False, "start"),  # began, no end, not active: lost
        (state(100), False, "start"),  # failed: again
        (state(100, None), True, "wait"),
        (state(100, 0), False, "done"),
        (state(0), False, "done"),
    ],
)
def test_what_a_request_means(
    step: ModuleType, known: dict[str, Any] | None, active: bool, means: str
) -> None:
    """A step that works is waited for, one that is done is never repeated, anything else starts."""
    assert step.decide(known, active) == means


def test_the_result_is_the_last_attempts(step: ModuleType) -> None:
    """success, failed, lost or none."""
    results = [step.result(each) for each in (None, state(), state(None), state(3), state(3, 0))]
    assert results == ["none", "none", "lost", "failed", "success"]


@pytest.mark.parametrize("name", ["", "a b", "../x", "Upper", "a_b", "-x"])
def test_names_that_no_unit_can_have_are_refused(step: ModuleType, name: str) -> None:
    """The run id becomes part of a unit's name and of a path."""
    with pytest.raises(step.Refused, match="a run and a step are named by"):
        step.unit_name(name, "apt")


def asked(*command: str) -> argparse.Namespace:
    return argparse.Namespace(run="r1", step="apt", command=list(command))


def test_the_unit_writes_start_end_code_and_outcome(step: ModuleType, tmp_path: Path) -> None:
    """The command finds the run's folder and leaves an outcome; the state holds it, readable by root only."""
    program = "import os, json; json.dump(os.environ['AMC_RUN_FOLDER'], open(os.environ['AMC_OUTCOME'], 'w'))"
    assert step.run(asked(sys.executable, "-c", program)) == 0
    path = tmp_path / "r1/apt.json"
    written = json.loads(path.read_text())
    assert written["unit"] == "amc-r1-apt"
    assert written["outcome"] == str(tmp_path / "r1")
    [attempt] = written["attempts"]
    assert attempt["rc"] == 0
    assert attempt["started"] <= attempt["ended"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_attempts_add_up_and_a_signal_is_a_failure(step: ModuleType, tmp_path: Path) -> None:
    """A failing attempt and one ended by SIGKILL stay recorded beside the one that succeeds."""
    assert step.run(asked("sh", "-c", "exit 7")) == 7
    assert step.run(asked("sh", "-c", "kill -9 $$")) == 137
    assert step.run(asked("true")) == 0
    written = json.loads((tmp_path / "r1/apt.json").read_text())
    assert [attempt["rc"] for attempt in written["attempts"]] == [7, 137, 0]


def test_the_state_says_lost_while_nothing_has_ended(step: ModuleType, tmp_path: Path) -> None:
    """What is on disk while the command works is what a power cut would leave: an attempt without an end."""
    copy = tmp_path / "seen.json"
    step.run(asked("cp", str(tmp_path / "r1/apt.json"), str(copy)))
    assert step.result(json.loads(copy.read_text())) == "lost"
