"""The gate's rules over both databases: one at a time on a server, settled once, silence to the second."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import connect, reading
from orchestrator.errors import AmcError, UsageError, Waiting
from orchestrator.ledger import reading as ledger
from orchestrator.runs import hand, store
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

from .conftest import NOW

DONE = hand.Ending(True, "", {"acme-erp1": {"ok": 3}})
SERVERS = "{mems: {hosts: {acme-erp1: , acme-erp2: }}}\n"


@pytest.fixture
def engine(house_settings: Settings) -> Engine:
    (house_settings.inventories / "acme" / "hosts.yml").write_text(SERVERS)
    return connect(house_settings.database_url)


def begin(settings: Settings, engine: Engine, key: str, **changes: Any) -> Run:
    asked = {
        "customer": "acme",
        "activity": "patch",
        "servers": ("acme-erp1",),
        "person": hand.Person("lena", "laptop"),
        "urgent": None,
        "options": {},
        "now": NOW,
    }
    return hand.begin(settings, engine, key=key, **asked | changes)


def held(settings: Settings, engine: Engine) -> int:
    contract = read_customer(settings.inventories, "acme")
    with reading(engine) as connection:
        return ledger.balance(connection, contract, NOW).held


def test_of_many_who_begin_at_once_one_does(house_settings: Settings, engine: Engine) -> None:
    """The others are told who; one hold, one row."""

    def one(number: int) -> str:
        try:
            return begin(house_settings, engine, f"k{number}").state
        except Waiting as refusal:
            return "refused" if "is at work on acme-erp1, by lena on laptop" in str(refusal) else str(refusal)

    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(one, range(8)))
    assert sorted(ends) == ["refused"] * 7 + ["running"]
    assert held(house_settings, engine) == 45 * 60
    assert begin(house_settings, engine, "elsewhere", servers=("acme-erp2",)).state == "running"


def test_it_is_settled_once(house_settings: Settings, engine: Engine) -> None:
    """A second end, a later beat and silence change nothing any more."""
    run = begin(house_settings, engine, "once", options={"without_proven_backup": "none yet"})
    assert run.options == {"without_proven_backup": "none yet"}
    later = NOW + timedelta(minutes=20)
    for minute in range(1, 20):
        hand.beat(engine, run.id, NOW + timedelta(minutes=minute))
    first = hand.settle(house_settings, engine, run.id, DONE, now=later)
    assert (first.state, first.raw, first.charged) == ("done", 1200, 2700)
    again = hand.settle(house_settings, engine, run.id, hand.Ending(False, "no"), now=later)
    assert hand.beat(engine, run.id, later + timedelta(hours=1)).beats == first.beats
    assert again == first
    assert hand.settle_silent(house_settings, engine, later + timedelta(days=1)) == []
    assert held(house_settings, engine) == 0


def test_a_machine_that_slept_is_settled_before_it_slept(house_settings: Settings, engine: Engine) -> None:
    """Up to 90 s without a beat are work, beyond them the run is over at the last one."""
    run = begin(house_settings, engine, "sleeper")
    hand.beat(engine, run.id, NOW + timedelta(seconds=90))
    awake = NOW + timedelta(hours=8)
    other = begin(house_settings, engine, "next", now=awake)  # who comes next is not kept waiting
    assert other.state == "running"
    with reading(engine) as connection:
        found = store.get(connection, run.id)
    assert (found.state, found.raw, found.ended_at) == ("unknown", 90, awake)
    assert "not heard of since 2026-11-24 12:01:30 UTC" in found.words


def test_a_clock_that_goes_back_charges_nothing_twice(house_settings: Settings, engine: Engine) -> None:
    """A beat from before the last one leaves it where it is."""
    run = begin(house_settings, engine, "clock")
    hand.beat(engine, run.id, NOW + timedelta(seconds=60))
    found = hand.beat(engine, run.id, NOW - timedelta(hours=1))
    ended = hand.settle(house_settings, engine, found.id, DONE, now=NOW + timedelta(seconds=30))
    assert ended.raw == 60
    assert ended.beats is not None and len(ended.beats) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"activity": "resize"}, "resize is planned and approved before it is done"),
        ({"servers": ("globex-erp1",)}, "acme has no server globex-erp1"),
        ({"servers": ()}, "no server is named"),
        ({"options": {"to": "yesterday"}}, "patch takes no --to"),
        ({"activity": "dance"}, "there is no activity `dance`"),
    ],
)
def test_what_can_not_be_leaves_nothing(
    house_settings: Settings, engine: Engine, changes: dict[str, Any], words: str
) -> None:
    """No row, no hold, no evidence."""
    with pytest.raises(AmcError, match=words):
        begin(house_settings, engine, "odd", **changes)
    with reading(engine) as connection:
        assert store.listing(connection) == []
    assert held(house_settings, engine) == 0
    assert not list(house_settings.runs_dir.glob("*"))


def test_what_was_rolled_back_says_so_though_ansible_failed(house_settings: Settings, engine: Engine) -> None:
    """By the servers' reports, as for a run of the queue."""
    run = begin(house_settings, engine, "back")
    reports = {"acme-erp1": {"patch": {"rolled_back": True}}}
    ending = hand.Ending(False, "a task failed", {"acme-erp1": {"ok": 3, "failures": 1}}, reports)
    found = hand.settle(house_settings, engine, run.id, ending, now=NOW + timedelta(seconds=5))
    assert (found.state, found.words) == ("rolled-back", "acme-erp1 is as it was before patch")


def test_somebody_elses_token_reaches_no_run(house_settings: Settings, engine: Engine) -> None:
    """Nor does a run of the queue count as one by hand."""
    run = begin(house_settings, engine, "hers", person=hand.Person("lena", "laptop", "lena"))
    for token in ("", "oskar"):
        with pytest.raises(UsageError, match="no run by hand of yours"):
            hand.beat(engine, run.id, NOW, token)
    assert datetime.fromisoformat((hand.beat(engine, run.id, NOW, "lena").beats or [])[0][0]) == NOW
