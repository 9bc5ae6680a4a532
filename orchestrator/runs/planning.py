"""Orders from the schedule: made 24 hours ahead, each once, with its hours held for its planned time.

An occurrence's uid is its order's key, so a clock that jumps, a rule that moves and a second worker order
nothing twice. Up to when everything had been ordered follows from the last order of the customer's schedule:
what was missed since is made up for by one run an activity (schedule/occurrences.py).
"""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from orchestrator.contracts.model import Contract
from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import reading
from orchestrator.errors import AmcError, HoursInsufficient, InvalidInput, NotCovered, Problem
from orchestrator.fleet.read import HOSTS, MAINTAINED, customers, maintained
from orchestrator.runs import placing, store
from orchestrator.runs.order import SCHEDULE, Order
from orchestrator.runs.placing import Enqueue
from orchestrator.schedule.occurrences import Occurrence, catch_up, occurrences, scheduled
from orchestrator.schedule.placement import local
from orchestrator.settings import Settings

AHEAD = timedelta(hours=24)


def plan_ahead(settings: Settings, engine: Engine, now: datetime, enqueue: Enqueue) -> list[str]:
    """Order what every customer's schedule wants within AHEAD of `now`; what was ordered, a line each.

    What is refused (hours, coverage) is a refused row, once. What can't be ordered for another reason is
    raised as InvalidInput after everything else was: all of it, and again each time.
    """
    said: list[str] = []
    faults: list[Problem] = []
    for customer in customers(settings.inventories):
        try:
            contract = read_customer(settings.inventories, customer)
            if not (wanted := _wanted(engine, contract, now)):
                continue
            servers = _servers(settings, customer)
        except InvalidInput as error:
            faults += error.problems
            continue
        for each in wanted:
            order = Order(customer, each.activity, servers, SCHEDULE, each.uid)
            try:
                run, _ = placing.place(
                    engine, settings, contract, order, now=now, enqueue=enqueue, planned_at=each.planned
                )
                said.append(f"{run.id}: ordered for {local(contract, run.planned_at or now)}")
            except (NotCovered, HoursInsufficient) as refusal:
                said.append(f"{each.uid}: refused: {refusal.message}")
            except AmcError as error:
                faults += _problems(error, settings.inventories / customer)
    if faults:
        raise InvalidInput(faults)
    return said


def _wanted(engine: Engine, contract: Contract, now: datetime) -> list[Occurrence]:
    """What is not ordered yet: missed ones that are made up for, then those to come."""
    with reading(engine) as connection:
        last = store.last_ordered(connection, contract.customer, SCHEDULE)
        found: dict[str, Occurrence] = {}
        for activity in scheduled(contract):
            missed = last and catch_up(contract, activity, last + AHEAD, now)
            if missed and not store.worked_since(connection, contract.customer, activity, missed.due):
                found[missed.uid] = missed
            for each in occurrences(contract, activity, now, now + AHEAD):
                if each.planned:
                    found.setdefault(each.uid, each)
        known = store.ordered_keys(connection, found)
    return [each for uid, each in found.items() if uid not in known]


def _servers(settings: Settings, customer: str) -> tuple[str, ...]:
    """At least one. InvalidInput."""
    found = maintained(settings.inventories, customer)
    if not found:
        hosts = settings.inventories / customer / HOSTS
        raise InvalidInput([Problem(hosts, 0, f"no server is in the group {MAINTAINED}", "add one to it")])
    return tuple(found)


def _problems(error: AmcError, folder: Path) -> list[Problem]:
    return (
        error.problems if isinstance(error, InvalidInput) else [Problem(folder, 0, error.message, error.mend)]
    )
