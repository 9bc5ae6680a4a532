"""What role drill promises, seen from the two servers that stay."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STATE = "/var/lib/amc/backup/mems1"
SCENARIO = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def report():
    """As it was written for the real server."""
    return json.loads((SCENARIO / "evidence/mems1/drill.json").read_text())


@pytest.fixture
def backup_server(host):
    """Tests here are about this one."""
    if host.check_output("hostname") != "backup1":
        pytest.skip("nothing of a drill is on the real server")
    return host


def test_everything_came_back_equal():
    """From nothing, with its times."""
    drill = report()
    assert (drill["ok"], drill["figures_equal"], drill["problems"]) == (True, True, [])
    assert (drill["check"]["ok"], drill["kind"]) == (True, "newest")
    assert 0 < drill["rpo_seconds"] < 30
    assert 0 < drill["restore_seconds"] < drill["rto_seconds"]
    steps = ["make", "deploy", "cut_off", "recover", "ask", "destroy"]
    assert sorted(drill["seconds_by_step"]) == sorted(steps)


def test_the_proof_is_the_drills(backup_server):
    """What a patch will ask for; barman's alone, as all of that folder."""
    proven = json.loads(backup_server.check_output(f"cat {STATE}/proven.json"))
    drill = report()
    assert {name: drill[name] for name in proven} == proven
    file = backup_server.file(f"{STATE}/proven.json")
    assert (file.user, file.mode) == ("barman", 0o600)


def test_the_throw_away_server_is_gone(backup_server):
    """From the lab, and from the notes of those that would be left."""
    assert backup_server.check_output(f"find {STATE}/drills -name '*.json'") == ""
    listed = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "lab", "status", "--json"],
        env={**os.environ, "AMC_HOME": str(SCENARIO)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert sorted(server["name"] for server in json.loads(listed.stdout)) == ["backup1", "mems1"]


def test_the_real_server_was_left_alone(host):
    """No recovery and no way in was there, and M EMS answers."""
    if host.check_output("hostname") == "mems1":
        assert json.loads(host.check_output("/usr/local/lib/mems/check"))["ok"]
        assert not host.file("/var/lib/amc/set-aside").exists
        assert not host.file("/usr/local/lib/amc/recover").exists
