"""Runs that wait for their time: each is released when it has come, or planned anew when it can't be kept.

A worker asks again and again. What keeps to the windows is released only when it fits into what is left of
one, and nothing else of its customer is queued or running, so that it does not begin after the window in the
queue. Windows, freezes and holidays count as the contract says today; hours as it said when the order came.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine

from orchestrator.contracts.activities import ActivityName
from orchestrator.contracts.model import Contract
from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import reading
from orchestrator.errors import AmcError, HoursInsufficient, InvalidInput, Problem
from orchestrator.runs import holds, store
from orchestrator.runs.order import SCHEDULE
from orchestrator.runs.placing import Enqueue
from orchestrator.runs.states import Event, State
from orchestrator.runs.store import Run
from orchestrator.runs.timing import keeps_to_windows
from orchestrator.schedule.occurrences import expected, late_place
from orchestrator.schedule.placement import Place, first_place, local

LATE = timedelta(minutes=15)
NOTHING_RAN = {"raw": 0, "rounded": 0, "charged": 0, "overage": 0}


def release(engine: Engine, now: datetime, enqueue: Enqueue) -> list[str]:
    """Queue, plan anew or cancel the runs whose time has come by `now`; what was done, a line each.

    What can't be done with one of them is raised as InvalidInput after the others were looked at.
    """
    with reading(engine) as connection:
        due = store.due(connection, now)
    said: list[str] = []
    faults: list[Problem] = []
    for run in due:
        try:
            with engine.begin() as connection:
                words = release_one(connection, run.id, now, enqueue)
        except AmcError as error:
            faults.append(Problem(Path(run.inventory), 0, f"{run.id}: {error}", f"amc run show {run.id}"))
            continue
        if words:
            said.append(f"{run.id}: {words}")
    if faults:
        raise InvalidInput(faults)
    return said


def release_one(connection: Connection, run_id: str, now: datetime, enqueue: Enqueue) -> str:
    """What was done with the run, in words; "" when it goes on waiting."""
    run = store.locked(connection, run_id)
    if not run.waits or run.planned_at is None or run.planned_at > now:
        return ""
    contract = contract_of(run)
    windowed = _keeps_to_windows(connection, run)
    place = _place(contract, run, now, windowed)
    if place.at is None:
        words = "; ".join(reason.words for reason in place.reasons)
        call_off(connection, run, Event.CANCEL, words, now)
        return f"cancelled: {words}"
    if place.at > now:
        return _move(connection, contract, run, place, now)
    if run.wants_decision or (windowed and store.is_busy(connection, run.customer)):
        return ""
    store.move(connection, run, Event.RELEASE, "")
    enqueue(connection, run.id, run.customer)
    return "its time has come"


def too_late(connection: Connection, run: Run, now: datetime) -> str:
    """Why a queued run must not begin by now: its window has gone by while no worker took it; "" else.

    What it lacks of the time that it is expected to take may be LATE: it was held against the windows when
    it was released.
    """
    if run.state is not State.QUEUED or not _keeps_to_windows(connection, run):
        return ""
    contract = contract_of(run)
    lasts = max(expected(contract, cast(ActivityName, run.activity)) - LATE, LATE)
    place = first_place(contract, now, lasts)
    if place.at == now:
        return ""
    why = "; ".join(reason.words for reason in place.reasons)
    return f"no worker took it in its window, so nothing was done: {why}; order it again"


def contract_of(run: Run) -> Contract:
    """The contract as it stands today; as it stood when the order came, where today's can't be read."""
    try:
        return read_customer(Path(run.inventory).parent, run.customer)
    except InvalidInput:
        return run.agreed()


def _keeps_to_windows(connection: Connection, run: Run) -> bool:
    is_first = store.never_deployed(connection, run.customer, run.servers)
    return keeps_to_windows(run.activity, check=run.check_mode, is_first=is_first, urgent=run.urgent)


def _place(contract: Contract, run: Run, now: datetime, windowed: bool) -> Place:
    """Where it may begin from now on. One of the schedule is left to the next when that is as good."""
    activity = cast(ActivityName, run.activity)
    lasts = expected(contract, activity)
    place = first_place(contract, now, lasts) if windowed else Place(now, ())
    is_late = run.planned_at is not None and now - run.planned_at > LATE
    if run.cause == SCHEDULE and (is_late or place.at != now):
        return late_place(contract, activity, lasts, now)
    return place


def _move(connection: Connection, contract: Contract, run: Run, place: Place, now: datetime) -> str:
    assert place.at
    words = "; ".join(reason.words for reason in place.reasons)
    try:
        held = holds.move(connection, run, place.at, now)
    except HoursInsufficient as refusal:
        # Its hold was voided before the other was refused.
        store.move(connection, run, Event.CANCEL, str(refusal), ended_at=now, **NOTHING_RAN)
        return f"cancelled: {refusal.message}"
    store.move(connection, run, Event.RESCHEDULE, words, planned_at=place.at, held=held)
    return f"planned anew for {local(contract, place.at)}: {words}"


def call_off(
    connection: Connection, run: Run, event: Event, words: str, now: datetime, **facts: dict[str, str]
) -> None:
    """End a run of which nothing ran, by CANCEL or REJECT: its hours go back. `facts`: who and why."""
    holds.give_back(connection, run, words, now)
    store.move(connection, run, event, words, ended_at=now, **NOTHING_RAN, **facts)
