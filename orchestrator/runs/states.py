"""The life of a run: its states and the one function that moves it from one to the next.

docs/run-states.md draws this table; a test holds the drawing against it.
"""

from enum import StrEnum


class State(StrEnum):
    """Where a run stands. The last seven are ends: nothing follows them."""

    WAITING = "waiting"  # planned and held: for an approval, for its time, or for both
    QUEUED = "queued"  # ordered, its hours are held
    RUNNING = "running"  # a worker has taken it
    DONE = "done"  # the playbook ended well and M EMS answers
    ROLLED_BACK = "rolled-back"  # failed, and the server is as it was before
    FAILED = "failed"  # failed, a person has to look
    UNKNOWN = "unknown"  # whether it was launched can't be proven: a person decides
    REJECTED = "rejected"  # somebody decided against its plan: nothing ran
    CANCELLED = "cancelled"  # somebody stopped it, before it began or while it ran
    REFUSED = "refused"  # not covered, or the hours did not suffice: never queued


class Event(StrEnum):
    """What happens to a run."""

    AGREE = "agree"  # somebody agrees with its plan, and its time is to come
    APPROVE = "approve"  # somebody agrees with its plan, and it may begin
    REJECT = "reject"
    RESCHEDULE = "reschedule"  # to another time, with its hold
    RELEASE = "release"  # its time has come
    CANCEL = "cancel"
    START = "start"  # a worker takes it, for the first time or again after a crash
    SUCCEED = "succeed"
    ROLL_BACK = "roll-back"
    FAIL = "fail"
    LOSE = "lose"  # claimed, and no process is known


TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.WAITING, Event.AGREE): State.WAITING,
    (State.WAITING, Event.APPROVE): State.QUEUED,
    (State.WAITING, Event.REJECT): State.REJECTED,
    (State.WAITING, Event.RESCHEDULE): State.WAITING,
    (State.WAITING, Event.RELEASE): State.QUEUED,
    (State.WAITING, Event.CANCEL): State.CANCELLED,
    (State.QUEUED, Event.CANCEL): State.CANCELLED,
    (State.QUEUED, Event.START): State.RUNNING,
    (State.QUEUED, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.START): State.RUNNING,
    (State.RUNNING, Event.SUCCEED): State.DONE,
    (State.RUNNING, Event.ROLL_BACK): State.ROLLED_BACK,
    (State.RUNNING, Event.FAIL): State.FAILED,
    (State.RUNNING, Event.LOSE): State.UNKNOWN,
    (State.RUNNING, Event.CANCEL): State.CANCELLED,
}

FIRST = (State.WAITING, State.QUEUED, State.RUNNING, State.REFUSED)
OPEN = frozenset({State.QUEUED, State.RUNNING})
"""In the hands of the queue, or of whoever runs it by hand. A run that waits is a row."""

OVER = frozenset(State) - OPEN - {State.WAITING, State.UNKNOWN}
"""Nothing of it goes on. Of one that is unknown nobody can tell."""

EXIT_CODES = {
    State.DONE: 0,
    State.ROLLED_BACK: 7,
    State.FAILED: 8,
    State.UNKNOWN: 8,
    State.REJECTED: 6,
    State.CANCELLED: 6,
}


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
    return state, _TO_DO.get(state, "")


_TO_DO = {
    State.WAITING: "for an approval: `amc run show` has its plan; `amc run approve` or `amc run reject`",
    State.UNKNOWN: "it was claimed and no process is known: look at the server, then order again",
    State.FAILED: "look at `amc run log`",
}
