"""Orders as an engineer gives them: covered or refused, held, done, charged, and shown."""

import json
import os
import signal
import time
from pathlib import Path

from dbos import DBOSClient

from .conftest import SECRET, House

HELD = 45 * 60  # acme's fixed price of a patch
PATCH = ("run", "start", "patch", "--customer", "acme")


def test_a_run_is_held_before_done_and_charged_after(busy_house: House) -> None:
    """--wait says how it ended; the statement shows the run with held, raw and charged seconds."""
    before = busy_house.account()
    found = busy_house.json(*PATCH, "--wait")
    assert (found["state"], found["exit_code"], found["clause"]) == ("done", 0, "C4")
    assert (found["held_seconds"], found["charged_seconds"]) == (HELD, HELD)
    assert 1 <= found["raw_seconds"] <= 60
    assert found["rounded_seconds"] == 900
    assert busy_house.account()["used"] == before["used"] + HELD

    statement = busy_house.json("statement", "--customer", "acme", "--year", found["ordered_at"][:4])
    (line,) = [run for run in statement["runs"] if run["id"] == found["id"]]
    assert (line["held_seconds"], line["charged_seconds"], line["state"]) == (HELD, HELD, "done")
    assert (line["packages"], line["cves"], line["evidence"]) == (1, 2, "whole")
    account = {name.removesuffix("_seconds"): seconds for name, seconds in statement["account"].items()}
    incoming = account["opening"] + account["granted"] + account["bought"]
    assert account["closing"] == incoming - account["used"] - account["held"] - account["expired"]
    assert account["used"] == sum(run["charged_seconds"] or 0 for run in statement["runs"])
    verified = busy_house.json("hours", "verify", "--customer", "acme", "--head", statement["ledger_head"])
    assert verified["whole"] is True


def test_the_evidence_is_whole_and_holds_no_secret(busy_house: House) -> None:
    """Neither the caller's environment nor what a task hides is in any file, and every file is private."""
    found = busy_house.json(*PATCH, "--wait")
    folder = Path(found["evidence"])
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {str(path.relative_to(folder)) for path in files}
    assert {"order.json", "manifest.json", "attempt-1/events.jsonl", "reports/acme-erp1/patch.json"} <= names
    for path in files:
        assert path.stat().st_mode & 0o077 == 0, path
        assert "swordfish" not in path.read_text(), path
    assert SECRET in busy_house.environment.values()
    assert found["altered"] == []
    log = busy_house.amc("run", "log", found["id"]).stdout
    assert "TASK [Keep a secret]" in log and "acme-erp1" in log
    (folder / "attempt-1" / "log.txt").write_text("nothing happened")
    assert busy_house.show(found["id"])["altered"] == ["attempt-1/log.txt"]


def test_one_key_is_one_run(busy_house: House) -> None:
    """Ordered twice it runs once; for another order the key is refused."""
    first = busy_house.json(*PATCH, "--key", "night")
    second = busy_house.json(*PATCH, "--key", "night", "--wait")
    assert (first["state"], second["state"]) == ("queued", "done")
    assert first["id"] == second["id"]
    assert busy_house.marks().count(f"{first['id']} 1") == 1
    said = busy_house.refusal(*PATCH, "--key", "night", "--check", exit_code=2)
    assert first["id"] in said


def test_two_runs_of_a_customer_follow_each_other(busy_house: House) -> None:
    """One run per server at a time."""
    runs = [busy_house.order("one"), busy_house.order("two")]
    one, two = sorted((busy_house.until_ended(run) for run in runs), key=lambda run: str(run["started_at"]))
    assert one["attempts"][0]["ended"] <= two["attempts"][0]["started"]
    assert (one["state"], two["state"]) == ("done", "done")


def test_a_check_run_is_free(busy_house: House) -> None:
    """Ansible's check mode: nothing is held, posted or changed, but the run is on the statement."""
    before, marks = busy_house.account(), busy_house.marks()
    found = busy_house.json(*PATCH, "--check", "--wait")
    assert (found["state"], found["held_seconds"], found["charged_seconds"]) == ("done", 0, 0)
    assert found["raw_seconds"] >= 1
    assert (busy_house.account(), busy_house.marks()) == (before, marks)
    assert busy_house.postings(found["id"]) == []
    statement = busy_house.json("statement", "--customer", "acme", "--year", found["ordered_at"][:4])
    assert [run["check"] for run in statement["runs"] if run["id"] == found["id"]] == [True]


def test_work_that_is_not_covered_is_refused_by_its_clause(busy_house: House) -> None:
    """Exit 4, a row with the reason, nothing held, nothing queued."""
    before = busy_house.account()
    said = busy_house.refusal("run", "start", "customisation", "--customer", "acme", exit_code=4)
    assert "E1" in said
    row = next(run for run in busy_house.json("run", "list") if run["activity"] == "customisation")
    assert (row["state"], row["exit_code"], row["clause"]) == ("refused", 4, "E1")
    assert "E1" in row["words"]
    assert busy_house.account() == before
    assert busy_house.postings(row["id"]) == []


def test_orders_that_make_no_sense_are_refused_in_words(busy_house: House) -> None:
    """An unknown activity, server, customer, run: exit 2 or 3, and no traceback."""
    count = len(busy_house.json("run", "list"))
    assert "patch" in busy_house.refusal("run", "start", "pach", "--customer", "acme", exit_code=2)
    assert "acme-erp1" in busy_house.refusal(*PATCH, "--server", "acme-erp9", exit_code=2)
    assert "acme" in busy_house.refusal("run", "start", "patch", "--customer", "akme", exit_code=3)
    assert "amc run list" in busy_house.refusal("run", "show", "nothing", exit_code=2)
    assert len(busy_house.json("run", "list")) == count


def test_a_failed_run_costs_its_time_and_a_person_has_to_look(busy_house: House) -> None:
    """Exit 8, the failed task in words, charged by the clock and not the fixed price."""
    fail = busy_house.folder / "fail"
    fail.touch()
    try:
        found = busy_house.json(*PATCH, "--wait", exit_code=8)
    finally:
        fail.unlink()
    assert found["state"] == "failed"
    assert "Fail where that is wanted" in found["words"]
    assert (found["held_seconds"], found["charged_seconds"]) == (HELD, 900)
    assert busy_house.account()["held"] == 0


def test_a_server_that_rolled_back_is_exit_7(busy_house: House) -> None:
    """The report says so."""
    report = busy_house.folder / "report"
    before = report.read_text()
    report.write_text(json.dumps({"rolled_back": True}))
    try:
        found = busy_house.json(*PATCH, "--wait", exit_code=7)
    finally:
        report.write_text(before)
    assert (found["state"], found["charged_seconds"]) == ("rolled-back", 900)


def test_what_a_run_needs_is_there_before_anything_is_held(busy_house: House) -> None:
    """No playbook: exit 2. No backup server: exit 3. Nothing is held, and there is no row."""
    before, runs = busy_house.account(), len(busy_house.json("run", "list"))
    said = busy_house.refusal("run", "start", "harden", "--customer", "acme", exit_code=2)
    assert "harden.yml" in said and "there are: patch" in said
    for activity, needed in (("drill", "backup server"), ("monitor", "monitoring server")):
        playbook = busy_house.folder / "repository" / "playbooks" / f"{activity}.yml"
        playbook.write_text("- hosts: localhost\n")
        said = busy_house.refusal("run", "start", activity, "--customer", "acme", exit_code=3)
        playbook.unlink()
        assert f"provider/hosts.yml: {activity} needs a {needed}, and there is no such file" in said
    assert (busy_house.account(), len(busy_house.json("run", "list"))) == (before, runs)
    assert "no customer" in busy_house.refusal("run", "start", "patch", "--customer", "provider", exit_code=2)


def test_a_second_worker_says_that_there_is_one(busy_house: House) -> None:
    """Exit 6 with the other's process id, and the first goes on."""
    first = busy_house.worker()
    assert str(first.pid) in busy_house.refusal("worker", "--until-idle", exit_code=6)
    assert first.lives()


def test_reading_imports_neither_dbos_nor_ansible(busy_house: House) -> None:
    """`amc run list` and the statement stay quick."""
    for words in (["run", "list"], ["statement", "--customer", "acme", "--year", "2026"]):
        code = (
            "import sys; from orchestrator.cli import main; "
            f"sys.argv = {['amc', *words]}; main.app(standalone_mode=False); "
            "sys.exit(any(name in sys.modules for name in ('dbos', 'ansible', 'ansible_runner', 'alembic')))"
        )
        assert busy_house.python("-c", code).wait(timeout=30) == 0


def test_without_hours_it_is_refused_until_some_are_bought(house: House) -> None:
    """Exit 5 with the balance and what to buy; the key is free again; the hold was rolled back."""
    contract = house.folder / "repository/inventories/acme/group_vars/all/contract.yml"
    contract.write_text(contract.read_text().replace("per_calendar_year: 60", "per_calendar_year: 1"))
    first = house.order("first")
    said = house.refusal(*PATCH, "--key", "night", exit_code=5)
    assert "0:15 are available" in said
    assert "buy at least 0:30" in said
    assert house.account() == {"available": 900, "held": HELD, "used": 0}
    refused, queued = house.json("run", "list")
    assert (refused["state"], refused["exit_code"], queued["id"]) == ("refused", 5, first)
    assert "buy at least 0:30" in refused["words"]

    house.json("hours", "buy", "--customer", "acme", "--hours", "0:30", "--note", "invoice 7")
    assert house.standing(house.order("night")) == "queued"
    assert house.account() == {"available": 0, "held": 2 * HELD, "used": 0}


def test_a_workflow_that_ends_without_its_run_leaves_no_hold(house: House) -> None:
    """Cancelled behind our back: the next worker settles the run."""
    run = house.order()
    client = DBOSClient(system_database_url=f"sqlite:///{house.home / 'amc.db'}", application_name="amc")
    client.cancel_workflow(run)
    client.destroy()
    house.finish()
    found = house.show(run)
    assert (found["state"], found["words"]) == ("failed", "its workflow is cancelled")
    assert house.postings(run) == ["hold", "void"]


def test_a_worker_that_is_told_to_stop_leaves_the_run_to_the_next(house: House) -> None:
    """SIGTERM: it leaves at once, the playbook goes on, a waiting `amc run start` starts the next worker."""
    engineer = house.start(*PATCH, "--wait", "--key", "night")
    house.until_marked()
    (run,) = house.json("run", "list")
    log = house.start("run", "log", run["id"], "--follow")
    worker = house.worker()
    asked = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    house.until("the worker's end", lambda: not worker.lives())
    assert time.monotonic() - asked < 5
    house.go()
    assert engineer.wait(timeout=60) == 0
    assert log.wait(timeout=60) == 0
    assert "PLAY RECAP" in (house.folder / "background.log").read_text()
    assert (house.standing(run["id"]), house.marks()) == ("done", [f"{run['id']} 1"])
