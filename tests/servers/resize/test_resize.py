"""A server gets another specification by an approved run: live, with a stop, killed half-way, undone."""

import json
import random
import re
import time

from grown import LARGE, SMALL, WHY, Installation
from recommended import Counters, recommended

from orchestrator.sizing.margins import Margins

RATE = 10  # half a CPU carries four times as much where nothing else runs
TOO_MUCH = 60


def test_history_and_load_recommend_more(grown: Installation) -> None:
    """Twelve days at half load are no reason; the load of now, as the server's exporter tells it, is."""
    assert grown.inside()["cpus"] == 1
    ended = grown.load(TOO_MUCH)
    time.sleep(4)
    before = Counters.of(grown)
    time.sleep(5)
    after = Counters.of(grown)
    load = ended()
    grown.on("until timeout 5 /usr/local/lib/mems/check >/dev/null; do sleep 1; done")
    found = recommended(grown, before, after, (load["p95_ms"] or 30_000) / 1000)
    # Beside other work of this machine a server may not get what it is due: then it has not used it up.
    is_full = after.used_since(before) >= Margins().saturated_use * 0.5
    assert found["saturated_now"] == is_full, found["reasons"]
    assert found["direction"] == ("up" if is_full else "keep"), found["reasons"]
    if is_full:
        assert "of 0.5 CPUs in use" in found["reasons"][0]


def test_live_under_load(grown: Installation) -> None:
    """0.5 CPU becomes 2 while users work: none of their calls fails, and PostgreSQL uses the new memory."""
    assert grown.inside()["cpus"] == 1
    before = grown.on("runuser -u postgres -- psql -XAtc 'SHOW shared_buffers'")
    ended = grown.load(RATE)
    run = grown.resize("--spec", LARGE)
    time.sleep(3)
    load = ended()
    assert (load["failed"], load["sent"] > RATE * 5) == (0, True), load
    report = grown.report(run)
    assert (run["state"], report["ok"], report["downtime_seconds"]) == ("done", True, 0)
    assert (report["from"]["spec"], report["to"]["spec"]) == (SMALL, LARGE)
    inside = grown.inside()
    assert inside["cpus"] == 2
    assert abs(inside["memory_mib"] - 4096) < 410
    after = grown.on("runuser -u postgres -- psql -XAtc 'SHOW shared_buffers'")
    assert before != after == "1GB"
    assert run["decision"]["why"] == "a test"
    assert report["overrides"][0]["reason"] == WHY
    assert grown.on("systemctl --failed --no-legend") == ""


def test_nothing_to_do_is_no_order(grown: Installation) -> None:
    """What the server already is needs no run, and costs nothing."""
    runs = len(grown.json("run", "list"))
    said = grown.amc(*grown.order("--spec", LARGE, "--approve", "a test"))
    assert "nothing is to be done" in said.stderr
    assert len(grown.json("run", "list")) == runs


def test_unapproved_it_waits_and_rejected_it_never_runs(grown: Installation) -> None:
    """The plan is shown; the hours are held, then given back."""
    waiting = grown.json(*grown.order("--spec", "lab.medium"), exit_code=6)
    assert waiting["state"] == "waiting"
    assert any(LARGE in each and "lab.medium" in each for each in waiting["plan"]["sentences"])
    run = grown.json(
        "run", "reject", waiting["id"], "--why", "the month's end comes first", "--by", "R. Weber"
    )
    assert (run["state"], run["charged_seconds"]) == ("rejected", 0)
    assert grown.inside()["cpus"] == 2


def test_what_cannot_be_is_refused_before_anything_is_held(grown: Installation) -> None:
    """An unknown specification, a shrinking disk, more than the machine has."""
    runs = len(grown.json("run", "list"))
    said = grown.amc(*grown.order("--spec", "lab.giant"), exit_code=2).stderr
    assert "lab.giant" in said
    assert "lab.large" in said
    grown.variables(server_disk_gib=4)
    assert "shrink" in grown.amc(*grown.order(), exit_code=3).stderr
    grown.variables(server_disk_gib=8)
    grown.amc(*grown.order("--spec", "lab.xlarge"), exit_code=3)
    assert len(grown.json("run", "list")) == runs


def test_less_memory_than_is_in_use_is_refused(grown: Installation) -> None:
    """What the server does not get back is looked at on the server; nothing is changed."""
    hog = "import time; held = b'x' * (900 << 20); time.sleep(300)"
    grown.on(f'systemd-run --unit=hog --collect python3 -c "{hog}"; sleep 3')
    run = grown.resize("--spec", SMALL, exit_code=8)
    grown.on("systemctl stop hog")
    assert (run["state"], grown.inside()["cpus"]) == ("failed", 2)
    assert re.search(r"\d+ MiB are in use, and lab.small has 1024 MiB", run["words"]), run["words"]


def test_with_a_stop_users_see_a_page(grown: Installation) -> None:
    """As EC2 does it: a page, the server stops and comes back with its data, then users are let in."""
    figures = grown.on("/usr/local/lib/mems/figures")
    booted = grown.on("cat /proc/1/stat | cut -d' ' -f22; hostname")
    grown.variables(server_stop_to_resize=True, server_spec="lab.medium", server_disk_gib=9)
    ended = grown.load(2)
    run = grown.resize()
    load = ended()
    grown.variables(server_stop_to_resize=False)
    report = grown.report(run)
    assert (run["state"], report["stopped"]) == ("done", True)
    assert 0 < report["downtime_seconds"] < 120
    assert "HTTP 503" in " ".join(load["errors"]), load["errors"]
    assert load["seconds"][-1]["failed"] == 0
    assert grown.inside()["cpus"] == 1
    assert grown.inside()["disk_gib"] >= 8
    assert json.loads(grown.on("/usr/local/lib/mems/figures")) == json.loads(figures)
    assert grown.on("cat /proc/1/stat | cut -d' ' -f22; hostname") != booted
    assert grown.ssh("test -e /etc/nginx/snippets/mems-maintenance.conf").returncode == 1


def test_what_does_not_work_afterwards_is_undone(grown: Installation) -> None:
    """M EMS that fails on two CPUs goes back to one; the run says so with exit code 7."""
    flaw = "[ $(nproc) = 1 ] || { echo no good >&2; exit 1; }"
    script = f"#!/bin/sh\\n{flaw}\\nexec /usr/local/lib/mems/check\\n"
    grown.on(f"printf '{script}' >/root/check; chmod 755 /root/check")
    grown.variables(resize_check_command="/root/check", resize_check_seconds=2)
    run = grown.resize("--spec", LARGE, exit_code=7)
    grown.variables(resize_check_command="/usr/local/lib/mems/check")
    report = grown.report(run)
    assert (run["state"], report["rolled_back"], report["ok"]) == ("rolled-back", True, False)
    assert "no good" in report["why"]
    assert grown.inside()["cpus"] == 1
    assert grown.ssh("/usr/local/lib/mems/check").returncode == 0


def test_killed_somewhere_it_goes_on(grown: Installation) -> None:
    """Worker, playbook and engine die at a random moment of it; the next worker ends the same run."""
    random_moment = random.Random(20261124).uniform(2, 9)
    ordered = grown.json(*grown.order("--spec", LARGE, "--approve", "a test"))
    time.sleep(random_moment)
    killed = grown.kill(ordered["id"])
    assert killed, "nothing was there to be killed"
    grown.amc("worker", "--until-idle")
    run = grown.json("run", "show", ordered["id"])
    assert run["state"] in ("done", "rolled-back"), run["words"]
    assert grown.inside()["cpus"] == (2 if run["state"] == "done" else 1)
    assert grown.ssh("/usr/local/lib/mems/check").returncode == 0
    assert not list(grown.home.glob("pulumi/**/locks/**/*.json"))
    assert "nothing is to be done" in grown.amc(*grown.order("--spec", LARGE)).stderr
