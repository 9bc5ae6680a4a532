"""The life of a run: its states and the one function that moves it from one to the next.

docs/run-states.md draws this table; a test holds the drawing against it.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a run stands. The last five are ends: nothing follows them."""

    QUEUED = "queued"  # ordered, its hours are held
    RUNNING = "running"  # a worker has taken it
    DONE = "done"  # the playbook ended well and M EMS answers
    ROLLED_BACK = "rolled-back"  # failed, and the server is as it was before
    FAILED = "failed"  # failed, a person has to look
    UNKNOWN = "unknown"  # whether it was launched can't be proven: a person decides
    REFUSED = "refused"  # not covered, or the hours did not suffice: never queued


class Event(StrEnum):
    """What happens to a run."""

    START = "start"  # a worker takes it, for the first time or again after a crash
    SUCCEED = "succeed"
    ROLL_BACK = "roll-back"
    FAIL = "fail"
    LOSE = "lose"  # claimed, and no process is known


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.QUEUED, Event.START): State.RUNNING,
    (State.QUEUED, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.START): State.RUNNING,
    (State.RUNNING, Event.SUCCEED): State.DONE,
    (State.RUNNING, Event.ROLL_BACK): State.ROLLED_BACK,
    (State.RUNNING, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.LOSE): State.UNKNOWN,
}

FIRST = (State.QUEUED, State.REFUSED)
OPEN = frozenset({State.QUEUED, State.RUNNING})

EXIT_CODES = {State.DONE: 0, State.ROLLED_BACK: 7, State.FAILED: 8, State.UNKNOWN: 8}


class ImpossibleTransition(Exception):
    """A fault of this program: the event can't happen to a run in that state."""


def after(state: State, event: Event) -> State:
    """The state that follows; raises ImpossibleTransition."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ImpossibleTransition(f"a run that is {state} can't {event}") from None


def shown_as(state: State, worker_lives: bool, process_lives: bool) -> tuple[str, str]:
    """What a reader is told of a run: (word, what happens next or what to do; "" when nothing).

    `worker_lives`: a worker holds the lock. `process_lives`: the run's playbook still runs.
    """
    resume = "`amc worker --until-idle`, or the next `amc run start`, goes on with it"
    if state is State.QUEUED and not worker_lives:
        return state, f"no worker is running: {resume}"
    if state is State.RUNNING and not worker_lives:
        if process_lives:
            return "unattended", f"its playbook runs, its worker is gone: {resume}"
        return "interrupted", f"its worker and its playbook are gone: {resume}"
    if state is State.UNKNOWN:
        return state, "it was claimed and no process is known: look at the server, then order again"
    if state is State.FAILED:
        return state, "look at `amc run log`"
    return state, ""
