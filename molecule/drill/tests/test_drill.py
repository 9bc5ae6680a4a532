"""What role drill promises, seen from the backup server."""

import json
import os
import subprocess
import sys
from pathlib import Path

testinfra_hosts = ["ansible://backup_server"]
STATE = "/var/lib/amc/backup/mems1"
SCENARIO = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def report():
    """As it was written for the real server."""
    return json.loads((SCENARIO / "evidence/mems1/drill.json").read_text())


def test_everything_came_back_equal():
    """A moment with other figures than now, from nothing, with its times."""
    drill = report()
    assert (drill["ok"], drill["figures_equal"], drill["problems"]) == (True, True, [])
    assert (drill["check"]["ok"], drill["kind"], drill["seed"]) == (True, "random", 0)
    assert 0 < drill["rpo_seconds"] < 30
    assert 0 < drill["restore_seconds"] < drill["rto_seconds"]
    steps = ["make", "deploy", "cut_off", "recover", "ask", "destroy"]
    assert sorted(drill["seconds_by_step"]) == sorted(steps)


def test_the_proof_is_the_drills(host):
    """What a patch will ask for; barman's alone, as all of that folder."""
    proven = json.loads(host.check_output(f"cat {STATE}/proven.json"))
    drill = report()
    assert {name: drill[name] for name in proven} == proven
    file = host.file(f"{STATE}/proven.json")
    assert (file.user, file.mode) == ("barman", 0o600)


def test_the_throw_away_server_is_gone(host):
    """From the lab, and from the notes of those that would be left."""
    assert host.check_output(f"find {STATE}/drills -name '*.json'") == ""
    listed = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "lab", "status", "--json"],
        env={**os.environ, "AMC_HOME": str(SCENARIO)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert sorted(server["name"] for server in json.loads(listed.stdout)) == ["backup1", "mems1"]
