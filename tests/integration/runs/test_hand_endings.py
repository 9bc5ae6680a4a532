"""How work by hand can end: by Ctrl-C, TERM, KILL, or in silence; each is settled, once."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from orchestrator.database.engine import reading
from orchestrator.runs import hand, store

from .by_hand import Engineer, engineer_in
from .conftest import build

QUARTER = 15 * 60  # acme's least charge


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engineer]:
    """One house for all."""
    house = build(tmp_path_factory.mktemp("endings"))
    yield engineer_in(house)
    house.close()


@pytest.fixture
def engineer(at_home: Engineer) -> Iterator[Engineer]:
    """His playbook waits for leave."""
    at_home.anew()
    yield at_home
    at_home.rest()


def begun(engineer: Engineer) -> str:
    """His playbook is in the midst of its first task; the run's id."""
    engineer.start()
    return engineer.house.until_marked()[0].split()[0]


@pytest.mark.parametrize("sign", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_a_signal_settles(engineer: Engineer, sign: str) -> None:
    """Within seconds, by the clock and not by the fixed price; the keeper ends, nothing is held."""
    run = begun(engineer)
    process = engineer.started[0]
    time.sleep(2)  # what took less than a second costs nothing
    # As a terminal does it: Ctrl-C reaches the whole group.
    (os.killpg if sign == "SIGINT" else os.kill)(process.pid, signal.Signals[sign])
    process.wait()
    ended = engineer.ended(run)
    assert (ended.state, ended.charged) == ("failed", QUARTER)
    assert "ended before its end" in ended.words
    assert engineer.house.postings(run) == ["hold", "settle"]
    assert engineer.house.account()["held"] == 0


def test_silence_is_settled_at_the_last_heartbeat(engineer: Engineer) -> None:
    """The keeper and the playbook go together, as with a machine: the worker settles, not a second early."""
    house = engineer.house
    run = begun(engineer)
    house.until("a second heartbeat", lambda: beats(engineer, run)[0] < beats(engineer, run)[1])
    for keeper in engineer.keepers():
        house.kill(keeper)
    os.killpg(engineer.started[0].pid, signal.SIGKILL)
    engineer.started[0].wait()
    first, last = beats(engineer, run)
    assert hand.settle_silent(house.settings, house.engine, last + timedelta(seconds=90)) == []
    (told,) = hand.settle_silent(house.settings, house.engine, last + timedelta(seconds=91))
    assert run in told
    ended = engineer.ended(run)
    assert ended.state == "unknown" and ended.raw is not None
    assert abs(ended.raw - (last - first).total_seconds()) < 1
    assert house.postings(run) == ["hold", "settle"]
    assert hand.settle_silent(house.settings, house.engine, last + timedelta(days=1)) == []


def test_a_worker_settles_the_silent(engineer: Engineer) -> None:
    """It asks at its rounds; a run that lives is left alone."""
    house = engineer.house
    run = begun(engineer)
    house.finish()
    assert engineer.run().state == "running"
    for keeper in engineer.keepers():
        house.kill(keeper)
    with house.engine.begin() as connection:
        long_ago = (datetime.fromisoformat(beats_of(engineer, run)[0][0]) - timedelta(seconds=91)).isoformat()
        store.note_beats(connection, store.get(connection, run), [[long_ago, long_ago]])
    house.finish()
    assert engineer.run().state == "unknown"


def test_who_wants_its_end_gets_it(engineer: Engineer) -> None:
    """`amc run cancel`: the keeper interrupts the playbook, and the run is cancelled with the reason."""
    run = begun(engineer)
    engineer.house.amc("run", "cancel", run, "--why", "the customer asked")
    assert engineer.started[0].wait(timeout=60) != 0
    ended = engineer.ended(run)
    assert (ended.state, ended.charged) == ("cancelled", QUARTER)
    assert "the customer asked" in ended.words


def beats_of(engineer: Engineer, run: str) -> list[list[str]]:
    with reading(engineer.house.engine) as connection:
        return store.get(connection, run).beats or []


def beats(engineer: Engineer, run: str) -> tuple[datetime, datetime]:
    """The first and the last."""
    found = beats_of(engineer, run)
    return datetime.fromisoformat(found[0][0]), datetime.fromisoformat(found[-1][1])
