"""PostgreSQL: any number of workers, a dead one's runs taken over within a minute, each run once."""

import os
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select

from orchestrator.database.engine import reading
from orchestrator.ledger.tables import postings
from orchestrator.runs import beginning, store, worker
from orchestrator.runs.presence import living

from . import crowd
from .conftest import House, build

TAKEN_OVER_SECONDS = 60


@pytest.fixture(scope="session")
def ready_postgresql(postgresql: str, migrated_postgresql: str) -> str:
    """The name of a database in which `amc init` has been: migrating DBOS's tables takes seconds."""
    worker.install(f"{postgresql}/{migrated_postgresql}")
    return migrated_postgresql


@pytest.fixture
def shared(tmp_path: Path, postgresql: str, ready_postgresql: str) -> Iterator[House]:
    """A house on a PostgreSQL database of its own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {ready_postgresql}")
    built = build(tmp_path, AMC_DATABASE_URL=f"{postgresql}/{name}")
    yield built
    built.close()
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def at_work(house: House) -> dict[str, str]:
    """Run -> the worker that has it in its hands."""
    query = "SELECT workflow_uuid, executor_id FROM dbos.workflow_status WHERE status = 'PENDING'"
    with psycopg.connect(house.settings.database_url) as connection:
        return dict(connection.execute(query).fetchall())


def process(name: str) -> int:
    return int(name.split(":")[2])


def test_a_dead_workers_runs_are_finished_by_the_other(shared: House) -> None:
    """Two workers, one is killed with runs in flight: their playbooks live on, and run once."""
    customers = crowd.settle_in(shared, 4)
    (shared.folder / "slow").write_text("5")
    workers = [shared.python(*crowd.fast_worker(shared)) for _ in range(2)]
    shared.until("two workers", lambda: len(living(shared.settings)) == 2)
    runs = [crowd.order(shared, customer, f"nightly-{customer}") for customer in customers]
    shared.until("each at work", lambda: len(at_work(shared)) == 4)
    doomed = process(at_work(shared)[runs[0]])
    in_flight = [run for run, name in at_work(shared).items() if process(name) == doomed]
    os.kill(doomed, signal.SIGKILL)
    killed = time.monotonic()
    for run in runs:
        shared.until_ended(run)
    assert time.monotonic() - killed < TAKEN_OVER_SECONDS
    assert sorted(shared.marks()) == sorted(f"{run} 1" for run in runs)
    assert {shared.show(run)["state"] for run in runs} == {"done"}
    said = (shared.folder / "background.log").read_text()
    assert in_flight and all(f"{run}: taken over from" in said for run in in_flight)
    assert sum(each.poll() is None for each in workers) == 1


def test_a_dead_worker_and_its_playbook_are_followed_by_the_next_attempt(shared: House) -> None:
    """With real Ansible: the worker that is left starts the second attempt, under the same run id."""
    run = shared.order()
    shared.start("worker")
    shared.until_marked()
    shared.start("worker", "--until-idle")
    shared.until("two workers", lambda: len(living(shared.settings)) == 2)
    os.kill(process(at_work(shared)[run]), signal.SIGKILL)
    shared.kill(shared.executing(run))
    shared.go()
    found = shared.until_ended(run)
    assert [attempt["fate"] for attempt in found["attempts"]] == ["dead", "finished"]
    assert (found["state"], shared.marks()) == ("done", [f"{run} 1", f"{run} 2"])
    assert shared.postings(run) == ["hold", "settle"]


def test_a_worker_that_loses_its_lock_ends_at_once(shared: House) -> None:
    """Its connection is gone, so another may have its runs; what it started goes on."""
    run = shared.order()
    lonely = shared.start("worker")
    shared.until_marked()
    with psycopg.connect(shared.settings.database_url, autocommit=True) as connection:
        (name,) = living(shared.settings)
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
        connection.execute(ended, (name,))
    assert lonely.wait(timeout=10) == 1
    assert "worker: lost its connection, hence its lock" in (shared.folder / "background.log").read_text()
    assert shared.executing(run).lives()
    assert shared.standing(run) == "unattended"
    shared.go()
    shared.finish()
    assert (shared.standing(run), shared.marks()) == ("done", [f"{run} 1"])


def test_workers_of_one_machine_share_the_evidence(shared: House) -> None:
    """A second home would not find what the first has launched: refused, in words; shared, it works."""
    shared.start("worker")
    shared.until("a worker", lambda: living(shared.settings))
    other = House(shared.folder, shared.environment | {"AMC_HOME": str(shared.folder / "other")})
    assert "give both the same AMC_RUNS_DIR" in other.refusal("worker", "--until-idle", exit_code=3)
    other.environment["AMC_RUNS_DIR"] = str(shared.home / "runs")
    other.finish()


def test_what_another_machine_began_is_not_launched_again(shared: House) -> None:
    """Its evidence is not here, so nobody can tell; a person decides, and the hours are free again."""
    run = shared.order()
    elsewhere = House(shared.folder, shared.environment | {"AMC_HOME": str(shared.folder / "elsewhere")})
    beginning.begin(elsewhere.settings, shared.engine, run, datetime.now(UTC))
    shared.finish()
    found = shared.show(run)
    assert (found["state"], shared.marks()) == ("unknown", [])
    assert "another worker began it, and its evidence is not in" in found["words"]
    assert shared.postings(run) == ["hold", "void"]


def test_many_orders_over_two_workers_are_done_once_each(shared: House) -> None:
    """One worker is killed at a moment of chance; nothing is lost, doubled or still held."""
    chance = random.Random(6)
    customers = crowd.settle_in(shared, 6)
    for _ in range(2):
        shared.python(*crowd.fast_worker(shared))
    shared.until("two workers", lambda: len(living(shared.settings)) == 2)
    runs = [crowd.order(shared, customer, f"{customer}-{n}") for n in range(5) for customer in customers]
    doomed = chance.randrange(8, 20)
    shared.until(f"{doomed} marks", lambda: len(shared.marks()) >= doomed)
    os.kill(process(chance.choice(living(shared.settings))), signal.SIGKILL)

    def states() -> Counter[str]:
        with reading(shared.engine) as connection:
            return Counter(str(run.state) for run in store.listing(connection))

    shared.until("the end of all", lambda: not states().keys() & {"queued", "running"})
    again = [mark for mark in shared.marks() if not mark.endswith(" 1")]
    assert states() == Counter(done=len(runs)) and again == []
    assert sorted(shared.marks()) == sorted(f"{run} 1" for run in runs)
    with reading(shared.engine) as connection:
        kinds = Counter(connection.execute(select(postings.c.kind)).scalars())
    assert kinds == Counter(grant=1, hold=len(runs), settle=len(runs))
