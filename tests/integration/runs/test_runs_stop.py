"""Somebody stops a run: what of it runs here is ended, what was used is settled, and once."""

from orchestrator.runs import store
from orchestrator.runs.processes import carrying

from .conftest import House

HELD = 45 * 60  # acme's fixed price of a patch


def cancel(house: House, run: str, exit_code: int = 0) -> None:
    house.amc("run", "cancel", run, "--why", "users work late", "--by", "Ada", exit_code=exit_code)


def cancelled(house: House, run: str) -> None:
    house.until("the cancelled run", lambda: house.standing(run) == "cancelled")
    assert carrying("AMC_RUN_ID", run) == []
    assert house.account()["held"] == 0


def test_a_running_run_is_ended_and_settled_by_the_clock(house: House) -> None:
    """Its processes are gone, its words say who and why, and the server is free for the next run."""
    run = house.order()
    house.start("worker", "--until-idle")
    house.until_marked()
    house.amc("run", "over", run, exit_code=1)
    attempt = store.evidence(house.settings, run).attempt(1)
    house.until("a heartbeat", lambda: any(end > start for start, end in attempt.intervals()))
    cancel(house, run)
    cancelled(house, run)
    found = house.show(run)
    assert found["words"] == "cancelled by Ada: users work late"
    assert 0 < found["charged_seconds"] <= HELD
    assert house.postings(run) == ["hold", "settle"]
    assert house.amc("run", "over", run).stdout == f"{run} is cancelled\n"
    house.go()
    house.amc("run", "start", "patch", "--customer", "acme", "--wait")


def test_a_worker_that_is_killed_while_it_stops_a_run_leaves_that_to_the_next(house: House) -> None:
    """The playbook is not started again: a run that is to end has no further attempt."""
    run = house.order()
    house.start("worker", "--until-idle")
    house.until_marked()
    house.kill(house.worker())
    house.kill(house.executing(run))
    cancel(house, run)  # which starts a worker
    cancelled(house, run)
    assert house.marks() == [f"{run} 1"]
    assert len(house.postings(run)) == 2  # a hold, and its end


def test_a_queued_run_is_cancelled_before_it_begins(house: House) -> None:
    """Its place in the queue leads to nothing, and its hours are free again."""
    run = house.order()
    cancel(house, run)
    cancelled(house, run)
    house.start("worker", "--until-idle").wait(timeout=60)
    assert (house.marks(), house.postings(run)) == ([], ["hold", "void"])
    cancel(house, run, exit_code=2)


def test_a_server_that_can_not_be_asked_leaves_the_run_unknown(house: House) -> None:
    """Nobody can tell whether a unit of it goes on there: a person looks."""
    run = house.order()
    house.start("worker", "--until-idle")
    house.until_marked()
    hosts = house.folder / "repository" / "inventories" / "acme" / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("ansible_connection: local", "ansible_host: 127.0.0.2"))
    cancel(house, run)
    found = house.until_ended(run)
    assert found["state"] == "unknown"
    assert "cancelled by Ada" in found["words"] and "acme-erp1" in found["words"]
    house.amc("run", "over", run, exit_code=1)
