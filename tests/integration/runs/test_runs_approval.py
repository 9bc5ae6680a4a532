"""A run that waits for somebody's decision on its plan, on both databases."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Connection

from orchestrator import settings
from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import connect, reading
from orchestrator.errors import UsageError
from orchestrator.ledger import reading as ledger
from orchestrator.runs import approval, placing, store, view
from orchestrator.runs.order import Order
from orchestrator.runs.states import State
from orchestrator.runs.store import Run

from .conftest import NOW, not_queued

HELD = 3600


@pytest.fixture
def waiting(house_settings: settings.Settings, tmp_path: Path) -> Run:
    """A resize of acme-erp1 with a plan."""
    (house_settings.repository / "playbooks" / "resize.yml").write_text("- hosts: mems\n")
    plan = tmp_path / "plan"
    plan.mkdir()
    (plan / "change.json").write_text(json.dumps({"sentences": ["acme-erp1 gets 2 CPUs instead of 1."]}))
    return _place(house_settings, plan)


def _place(house_settings: settings.Settings, plan: Path | None, **options: str) -> Run:
    contract = read_customer(house_settings.inventories, "acme")
    order = Order("acme", "resize", ("acme-erp1",), "engineer", "one", options=options)
    engine = connect(house_settings.database_url)
    run, _ = placing.place(engine, house_settings, contract, order, now=NOW, enqueue=not_queued, plan=plan)
    return run


def _held(house_settings: settings.Settings) -> int | None:
    contract = read_customer(house_settings.inventories, "acme")
    with reading(connect(house_settings.database_url)) as connection:
        return ledger.balance(connection, contract, NOW).held


def test_it_waits_with_its_hours_held_and_its_plan_kept(
    waiting: Run, house_settings: settings.Settings
) -> None:
    """Nobody takes it; the plan is part of its evidence; the same order again is the same run."""
    assert (waiting.state, waiting.is_open, waiting.held) == (State.WAITING, False, HELD)
    assert _held(house_settings) == HELD
    shown = view.details(house_settings, waiting)
    assert shown["plan"]["sentences"] == ["acme-erp1 gets 2 CPUs instead of 1."]
    assert "amc run approve" in shown["next"]
    again = Path(shown["evidence"]) / "nothing"
    assert _place(house_settings, again).id == waiting.id


def test_approved_it_is_queued_once(waiting: Run, house_settings: settings.Settings) -> None:
    """With who, when and why; a second decision is refused."""
    queued: list[str] = []

    def enqueue(_connection: Connection, run: str, _customer: str) -> None:
        queued.append(run)

    engine = connect(house_settings.database_url)
    done = approval.approve(engine, waiting.id, by="R. Weber", why="month end", now=NOW, enqueue=enqueue)
    assert (done.state, queued) == (State.QUEUED, [waiting.id])
    assert done.decision == {"by": "R. Weber", "why": "month end", "at": NOW.isoformat()}
    with pytest.raises(UsageError, match="is queued and waits for no decision"):
        approval.approve(engine, waiting.id, by="R. Weber", why="", now=NOW, enqueue=enqueue)
    with pytest.raises(UsageError, match="is queued and waits for no decision"):
        approval.reject(engine, waiting.id, by="R. Weber", why="too late", now=NOW)
    assert queued == [waiting.id]
    assert _held(house_settings) == HELD


def test_rejected_its_hours_go_back(waiting: Run, house_settings: settings.Settings) -> None:
    """A rejection needs its reason; then the run is over."""
    engine = connect(house_settings.database_url)
    with pytest.raises(UsageError, match="needs its reason"):
        approval.reject(engine, waiting.id, by="R. Weber", why=" ", now=NOW)
    with pytest.raises(UsageError, match="a decision is somebody's"):
        approval.reject(engine, waiting.id, by="", why="too dear", now=NOW)
    done = approval.reject(engine, waiting.id, by="R. Weber", why="too dear", now=NOW)
    assert (done.state, done.charged, done.exit_code) == (State.REJECTED, 0, 6)
    assert done.words == "rejected by R. Weber: too dear"
    assert _held(house_settings) == 0


def test_the_queue_that_fails_leaves_it_waiting(waiting: Run, house_settings: settings.Settings) -> None:
    """State and place in the queue change together."""
    engine = connect(house_settings.database_url)

    def broken(_connection: Connection, _run: str, _customer: str) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        approval.approve(engine, waiting.id, by="R. Weber", why="", now=NOW, enqueue=broken)
    with reading(engine) as connection:
        assert store.get(connection, waiting.id).state is State.WAITING


def test_without_a_plan_there_is_no_order(house_settings: settings.Settings) -> None:
    with pytest.raises(UsageError, match="resize is planned before it is ordered"):
        _place(house_settings, None)
