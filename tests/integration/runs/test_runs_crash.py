"""Never twice, never lost: what `kill -9` at each place leaves, and what the next command makes of it."""

from datetime import UTC, datetime

from orchestrator.runs.evidence import write_json
from orchestrator.runs.processes import boot_id, carrying, host_id

from .conftest import House

HELD = 45 * 60  # acme's fixed price of a patch


BEFORE_THE_LAUNCH = """
from types import SimpleNamespace
attempts.subprocess = SimpleNamespace(**vars(attempts.subprocess) | {"Popen": die})
"""
BEFORE_THE_COMMIT = """
move = store.move
def move_and_die(connection, run, event, words, **facts):
    state = move(connection, run, event, words, **facts)
    return state if event == "start" else die()
store.move = move_and_die
"""


# The disk is full whenever DBOS notes a result; the process that comes after this one has no such trouble.
FAILING_DATABASE = """
import sys
from dbos._sys_db import SystemDatabase
from orchestrator.cli import main
from orchestrator.runs import worker
def full(*words, **more):
    raise OSError(28, "No space left on device")
SystemDatabase.record_operation_result = SystemDatabase.update_workflow_outcome = full
worker.LOST_SECONDS = 1
sys.argv = ["amc", "worker", "--until-idle"]
main.main()
"""


def claim(house: House, run: str, number: int = 1, **other: str) -> None:
    """What a worker leaves that claimed an attempt and is gone."""
    left = {"host": host_id(), "boot": boot_id(), "worker": 1, "at": datetime.now(UTC).isoformat()} | other
    write_json(house.home / "runs" / run / f"attempt-{number}" / "claim.json", left)


def test_a_killed_worker_loses_nothing_and_the_playbook_runs_once(house: House) -> None:
    """The run's process lives on, reading tells so and changes nothing, the next worker attaches to it."""
    run = house.json("run", "start", "patch", "--customer", "acme")["id"]
    house.until_marked()
    house.kill(house.worker())
    assert house.json("run", "show", run)["state"] == "unattended"
    assert house.account()["held"] == HELD

    worker = house.start("worker", "--until-idle")
    house.until("a worker that attaches", lambda: house.standing(run) == "running")
    house.go()
    assert worker.wait(timeout=60) == 0
    found = house.show(run)
    assert (found["state"], found["exit_code"], len(found["attempts"])) == ("done", 0, 1)
    assert house.marks() == [f"{run} 1"]
    assert house.account() == {"available": 59 * 3600 + 900, "held": 0, "used": HELD}
    assert house.postings(run) == ["hold", "settle"]


def test_a_killed_worker_and_playbook_are_followed_by_the_next_attempt(house: House) -> None:
    """Same run id, and nothing of the dead attempt works on beside the second; downtime is not charged."""
    run = house.order()
    house.start("worker", "--until-idle")
    house.until_marked()
    house.kill(house.worker())
    house.kill(house.executing(run))
    listed = house.amc("run", "list").stdout
    assert "interrupted" in listed and "`amc worker --until-idle`" in listed

    house.go()
    again = house.json("run", "start", "patch", "--customer", "acme", "--key", "nightly", "--wait")
    assert (again["id"], again["state"]) == (run, "done")
    assert [attempt["fate"] for attempt in again["attempts"]] == ["dead", "finished"]
    assert house.marks() == [f"{run} 1", f"{run} 2"]
    assert carrying("AMC_RUN_ID", run) == []
    assert house.postings(run) == ["hold", "settle"]
    begun, ended = (datetime.fromisoformat(again[name]) for name in ("started_at", "ended_at"))
    assert again["raw_seconds"] < (ended - begun).total_seconds() - 1


def test_claimed_and_no_process_known_goes_to_a_person(house: House) -> None:
    """Killed between the claim and the launch: never launched by guess, and the hold is resolved."""
    house.go()
    run = house.order()
    assert house.account()["held"] == HELD
    assert "no worker is running" in house.show(run)["next"]
    house.killed_at(BEFORE_THE_LAUNCH)
    assert house.standing(run) == "interrupted"

    house.finish()
    found = house.show(run)
    assert (found["state"], found["exit_code"]) == ("unknown", 8)
    assert "no process is known" in found["words"]
    assert "look at the server" in found["next"]
    assert house.marks() == []
    assert house.account() == {"available": 60 * 3600, "held": 0, "used": 0}
    assert house.postings(run) == ["hold", "void"]
    assert "unknown" in house.amc("run", "list").stdout
    # The same key says how it ended, and orders nothing again.
    house.amc("run", "start", "patch", "--customer", "acme", "--key", "nightly", "--wait", exit_code=8)


def test_killed_in_the_settlement_it_is_settled_once(house: House) -> None:
    """The run's row and its hold change in one transaction, whenever the worker dies."""
    house.go()
    run = house.order()
    house.killed_at(BEFORE_THE_COMMIT)
    assert house.standing(run) == "interrupted"
    assert house.account()["held"] == HELD

    house.finish()
    assert house.standing(run) == "done"
    assert house.marks() == [f"{run} 1"]
    assert house.account() == {"available": 59 * 3600 + 900, "held": 0, "used": HELD}
    assert house.postings(run) == ["hold", "settle"]


def test_a_database_that_fails_for_a_while_loses_no_run(house: House) -> None:
    """DBOS drops a workflow whose result can't be noted: the worker sees that, begins anew and settles it."""
    house.go()
    run = house.order()
    house.python("-c", FAILING_DATABASE)
    found = house.until_ended(run)
    assert (found["state"], house.marks()) == ("done", [f"{run} 1"])
    assert house.postings(run) == ["hold", "settle"]
    assert f"worker: begins anew, lost {run}" in (house.folder / "background.log").read_text()


def test_a_rebooted_machine_goes_on_with_the_next_attempt(house: House) -> None:
    """After a reboot every process of before is gone, also one whose number is taken again."""
    house.go()
    run = house.order()
    claim(house, run, boot="another boot")
    house.finish()
    found = house.show(run)
    assert [each["fate"] for each in found["attempts"]] == ["dead", "finished"]
    assert (found["state"], house.marks()) == ("done", [f"{run} 2"])


def test_a_claim_of_another_host_is_left_alone(house: House) -> None:
    """Its processes can't be seen from here, so nobody knows whether they live."""
    run = house.order()
    claim(house, run, host="another host")
    house.finish()
    assert (house.standing(run), house.marks()) == ("unknown", [])
    assert house.account()["held"] == 0


def test_the_attempts_are_bounded(house: House) -> None:
    """Three that died are a failure for a person, not a loop; nothing ran, so nothing is charged."""
    run = house.order()
    for number in (1, 2, 3):
        claim(house, run, number, boot=f"boot {number}")
    house.finish()
    found = house.show(run)
    assert (found["state"], len(found["attempts"]), house.marks()) == ("failed", 3, [])
    assert "all of 3 attempts died" in found["words"]
    assert house.postings(run) == ["hold", "void"]
