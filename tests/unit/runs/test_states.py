"""The life of a run."""

import re
from pathlib import Path

import pytest

from orchestrator.runs.states import (
    EXIT_CODES,
    FIRST,
    OPEN,
    TRANSITIONS,
    Event,
    ImpossibleTransition,
    State,
    after,
    shown_as,
)

DIAGRAM = Path(__file__).parents[3] / "docs" / "run-states.md"


def test_the_drawing_in_the_docs_is_the_table() -> None:
    """docs/run-states.md shows every transition and no other."""
    drawn = re.findall(r"^ +(\S+) --> (\S+): (\S+)$", DIAGRAM.read_text(), re.MULTILINE)
    moves = {(source, target, event) for source, target, event in drawn if source != "[*]"}
    assert moves == {(source, target, event) for (source, event), target in TRANSITIONS.items()}
    assert {target for source, target, _ in drawn if source == "[*]"} == set(FIRST)


def test_nothing_follows_an_end() -> None:
    """Every state but waiting, queued and running is final, whatever happens."""
    for state in set(State) - OPEN - {State.WAITING}:
        for event in Event:
            with pytest.raises(ImpossibleTransition, match=f"{state} can't {event}"):
                after(state, event)


def test_every_end_of_a_queued_run_has_an_exit_code() -> None:
    """`run start --wait` can tell each end by its code."""
    assert set(EXIT_CODES) == set(TRANSITIONS.values()) - OPEN - {State.WAITING}


def test_every_open_state_can_end() -> None:
    """No run can get stuck: from queued and running a failure leads to an end."""
    assert {after(state, Event.FAIL) for state in OPEN} == {State.FAILED}
    assert after(State.WAITING, Event.REJECT) is State.REJECTED


@pytest.mark.parametrize(
    ("state", "worker", "process", "word", "says"),
    [
        (State.RUNNING, True, True, "running", ""),
        (State.RUNNING, True, False, "running", ""),
        (State.RUNNING, False, True, "unattended", "goes on with it"),
        (State.RUNNING, False, False, "interrupted", "goes on with it"),
        (State.QUEUED, True, False, "queued", ""),
        (State.QUEUED, False, False, "queued", "no worker is running"),
        (State.UNKNOWN, False, False, "unknown", "look at the server"),
        (State.FAILED, False, False, "failed", "amc run log"),
        (State.DONE, False, False, "done", ""),
        (State.WAITING, False, False, "waiting", "amc run approve"),
        (State.REJECTED, False, False, "rejected", ""),
    ],
)
def test_what_is_shown_is_the_true_state(
    state: State, worker: bool, process: bool, word: str, says: str
) -> None:
    """A running row without worker or process is not shown as running, and what resumes it is named."""
    shown, following = shown_as(state, worker, process)
    assert shown == word
    assert says in following
    assert bool(says) == bool(following)
