"""Many at once on the same hours: exactly what there is is granted, once a key, on both databases."""

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError

from orchestrator.contracts.activities import WhenUsedUp
from orchestrator.database.engine import connect, parse_url, reading
from orchestrator.errors import HoursInsufficient
from orchestrator.ledger import reading as ledger
from orchestrator.ledger import store
from tests.unit.ledger.agreements import retainer, terms

HOUR = 3600
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
RACERS = 20
DEADLINE_S = 60


def _hold(connection: Connection, key: str) -> None:
    store.hold(connection, retainer(), terms(), key, seconds=HOUR, planned_at=NOW, now=NOW)


def _race(run: Callable[[int], str]) -> Counter[str]:
    """Twenty threads that start together; how often each answer came."""
    start = threading.Barrier(RACERS, timeout=DEADLINE_S)

    def racer(number: int) -> str:
        start.wait()
        return run(number)

    with ThreadPoolExecutor(RACERS) as threads:
        return Counter(threads.map(racer, range(RACERS), timeout=DEADLINE_S))


def _outcome(engine_url: str) -> tuple[int | None, int]:
    with reading(connect(engine_url)) as connection:
        assert not ledger.verify(connection, retainer()).faults
        balance = ledger.balance(connection, retainer(), NOW)
    return balance.available, balance.held


def test_twenty_threads_get_exactly_five_hours(database_url: str) -> None:
    """20 ask for an hour each of 5: five holds, fifteen refusals, nothing left and nothing oversold."""
    engine = connect(database_url)

    def run(number: int) -> str:
        try:
            with engine.begin() as connection:
                _hold(connection, f"r{number}")
        except HoursInsufficient:
            return "refused"
        return "held"

    assert _race(run) == {"held": 5, "refused": 15}
    assert _outcome(database_url) == (0, 5 * HOUR)


def _process(database_url: str, first: int, start: "Barrier", answers: "Queue[str]") -> None:
    engine = connect(database_url)
    start.wait(DEADLINE_S)
    for number in range(first, first + 5):
        try:
            with engine.begin() as connection:
                _hold(connection, f"r{number}")
        except HoursInsufficient:
            answers.put("refused")
        else:
            answers.put("held")


def test_four_processes_get_exactly_five_hours(database_url: str) -> None:
    """The same from four processes with five requests each: no lock of one process's own is needed."""
    spawning = multiprocessing.get_context("spawn")
    start, answers = spawning.Barrier(4), spawning.Queue()
    processes = [
        spawning.Process(target=_process, args=(database_url, 5 * number, start, answers))
        for number in range(4)
    ]
    for process in processes:
        process.start()
    counted = Counter(answers.get(timeout=DEADLINE_S) for _ in range(RACERS))
    for process in processes:
        process.join(DEADLINE_S)
    assert [process.exitcode for process in processes] == [0] * 4
    assert counted == {"held": 5, "refused": 15}
    assert _outcome(database_url) == (0, 5 * HOUR)


def test_one_key_from_twenty_threads_is_one_hold(database_url: str) -> None:
    """The same order twenty times at once: twenty equal answers, one hour held."""
    engine = connect(database_url)

    def run(_: int) -> str:
        with engine.begin() as connection:
            _hold(connection, "the same")
        return "held"

    assert _race(run) == {"held": 20}
    assert _outcome(database_url) == (4 * HOUR, HOUR)


def test_settling_and_voiding_at_once_is_one_of_them(database_url: str) -> None:
    """Ten settle and ten void the same hold: one side wins for all, the other is told so."""
    engine = connect(database_url)
    with engine.begin() as connection:
        _hold(connection, "r")

    def run(number: int) -> str:
        try:
            with engine.begin() as connection:
                if number % 2:
                    store.settle(connection, retainer(), "r", HOUR, terms(), now=NOW)
                else:
                    store.void(connection, "r", "cancelled", NOW)
        except store.UsageError:
            return "refused"
        return ("voided", "settled")[number % 2]

    answers = _race(run)
    assert answers in ({"settled": 10, "refused": 10}, {"voided": 10, "refused": 10})
    assert _outcome(database_url) == ((4 if answers["settled"] else 5) * HOUR, 0)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_serializable_transactions_that_try_again_get_exactly_five_hours(database_url: str) -> None:
    """At SERIALIZABLE, as DBOS's datasource runs, some are turned away; tried again, the count is exact."""
    engine = create_engine(parse_url(database_url), isolation_level="SERIALIZABLE")

    def run(number: int) -> str:
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                with engine.begin() as connection:
                    _hold(connection, f"r{number}")
            except HoursInsufficient:
                return "refused"
            except OperationalError:
                continue
            return "held"
        return "gave up"

    assert _race(run) == {"held": 5, "refused": 15}
    assert _outcome(database_url) == (0, 5 * HOUR)


def test_the_worker_settles_in_dboss_own_transactions(database_url: str) -> None:
    """DBOS's datasource brings its own engine and isolation: ten runs that settle at once are all exact.

    Each is held for one hour of five with `continue`, and works two: 5 hours used, 15 of overage.
    """
    from dbos import SQLAlchemyDatasource  # 1 s that each racing process would pay

    engine = connect(database_url)
    goes_on = terms(when=WhenUsedUp.CONTINUE)
    for number in range(10):
        with engine.begin() as connection:
            store.hold(connection, retainer(), goes_on, f"r{number}", seconds=HOUR, planned_at=NOW, now=NOW)
    source = SQLAlchemyDatasource.create(database_url)

    def settle(number: int) -> int:
        connection = source.sql_session().connection()
        done = store.settle(connection, retainer(), f"r{number}", 2 * HOUR, goes_on, now=NOW)
        return done.overage

    with ThreadPoolExecutor(10) as threads:
        overage = sum(
            threads.map(
                lambda number: source.run_tx_step(None, settle, number), range(10), timeout=DEADLINE_S
            )
        )
    assert overage == 15 * HOUR
    assert _outcome(database_url) == (0, 0)


def test_buying_while_holding_never_deadlocks(database_url: str) -> None:
    """Purchases and holds of one contract wait for each other and all go through."""
    engine = connect(database_url)

    def run(number: int) -> str:
        for time_of in range(3):
            with engine.begin() as connection:
                store.buy(connection, retainer(), HOUR, key=f"{number}-{time_of}", note="", at=NOW)
                _hold(connection, f"r{number}-{time_of}")
        return "done"

    assert _race(run) == {"done": RACERS}
    assert _outcome(database_url) == (5 * HOUR, 3 * RACERS * HOUR)
