"""Globex, comprehensive, on its own server: deployed, and patched through a kill -9 of everything of ours."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from installation import Installation

SERVER = "globex-erp1"
NO_BACKUP = "a new server, nothing on it yet"


@pytest.fixture(scope="module")
def deployed(installation: Installation) -> Installation:
    """Globex's server, from nothing to M EMS by a run of its contract."""
    up = installation.amc("lab", "up", "--customer", "globex")
    assert up.returncode == 0, up.stderr
    run = installation.amc("run", "start", "deploy", "--customer", "globex", "--wait")
    assert run.returncode == 0, run.stdout + run.stderr
    return installation


@pytest.fixture(scope="module")
def killed(deployed: Installation) -> dict[str, Any]:
    """A patch whose `amc`, worker and playbook were killed while apt ran; what was seen, before and after."""
    command = [
        str(deployed.folder / ".venv/bin/amc"),
        "run",
        "start",
        "patch",
        "--customer",
        "globex",
        "--without-proven-backup",
        NO_BACKUP,
        "--now",
        "--why",
        "a test at any hour",
        "--wait",
    ]
    waiting = subprocess.Popen(
        command,
        cwd=deployed.folder,
        env=deployed.environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    unit = _wait_for_apt(deployed)
    victims = [waiting.pid, *_processes_of(deployed)]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    waiting.wait()
    seen = deployed.runs("globex")[0]
    held = deployed.json("hours", "balance", "--customer", "globex")
    resumed = deployed.amc("worker", "--until-idle", deadline_s=600)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    return {"unit": unit, "victims": victims, "seen": seen, "held": held, "run": deployed.runs("globex")[0]}


def _wait_for_apt(installation: Installation) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        listed = installation.on(
            SERVER, "systemctl list-units --plain --no-legend --state=active,activating 'amc-*'"
        )
        units = [line.split()[0] for line in listed.splitlines() if "-apt" in line]
        if units:
            return units[0]
        time.sleep(0.5)
    raise AssertionError("waited 120 s for the unit in which apt runs")


def _processes_of(installation: Installation) -> list[int]:
    """The worker and all that runs for this home, by its AMC_HOME in /proc, not ssh's masters."""
    mark = f"AMC_HOME={installation.home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                ours = mark in (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if ours and (b"orchestrator" in command or b"ansible" in command):
                found.append(int(entry.name))
    return found


def test_the_kill_was_real(killed: dict[str, Any]) -> None:
    """amc, the worker, the run's process and ansible were among the dead."""
    assert len(killed["victims"]) >= 4


def test_the_next_command_shows_the_true_state(killed: dict[str, Any]) -> None:
    """Neither running nor lost: interrupted, and what goes on with it."""
    assert killed["seen"]["state"] == "interrupted"
    assert "amc worker" in killed["seen"]["next"]


def test_the_run_goes_on_and_its_hold_is_resolved(deployed: Installation, killed: dict[str, Any]) -> None:
    """The same run, a second attempt, done and settled; nothing is held any more."""
    assert killed["run"]["id"] == killed["seen"]["id"]
    assert killed["run"]["state"] == "done"
    shown = deployed.json("run", "show", killed["run"]["id"])
    assert len(shown["attempts"]) == 2
    assert killed["run"]["raw_seconds"] > 0
    assert deployed.json("hours", "balance", "--customer", "globex")["held"] == 0


def test_apt_ran_once(deployed: Installation, killed: dict[str, Any]) -> None:
    """The upgrade outlived its controller and was not started again: apt's own history has it once."""
    history = deployed.on(SERVER, "sudo cat /var/log/apt/history.log")
    upgrades = [
        line for line in history.splitlines() if line.startswith("Commandline:") and "upgrade" in line
    ]
    assert len(upgrades) == 1


def test_every_package_is_reported(deployed: Installation, killed: dict[str, Any]) -> None:
    """The report of the second attempt still names what the first one's apt changed."""
    report = deployed.json("run", "show", killed["run"]["id"])["reports"][SERVER]["patch"]
    assert report["packages"]
    assert report["cves"]
    assert report["check_after"]["ok"] is True


def test_comprehensive_has_no_cap_and_is_logged(deployed: Installation, killed: dict[str, Any]) -> None:
    """The statement has no lot, and the effort of both runs."""
    statement = deployed.json("statement", "--customer", "globex", "--year", deployed.year())
    assert statement["mode"] == "comprehensive"
    assert statement["account"]["granted_seconds"] == 0
    assert [run["activity"] for run in statement["runs"]] == ["deploy", "patch"]
    assert all(run["raw_seconds"] > 0 for run in statement["runs"])
    assert statement["account"]["uncapped_seconds"] == sum(
        run["charged_seconds"] for run in statement["runs"]
    )
