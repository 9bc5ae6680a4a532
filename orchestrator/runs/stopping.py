"""A run that somebody stopped: on its servers, too, nothing of it goes on.

Its long steps are units `amc-<run>-<step>` there, which outlive the connection. They are ended through the
run's own inventory, and the lock on the server is given back.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.fleet.read import provider_folder
from orchestrator.runs import execution, playbooks
from orchestrator.runs.evidence import Evidence, read_json
from orchestrator.settings import Settings

SCRIPT = Path("playbooks") / "files" / "server_lock.sh"
PATIENCE_SECONDS = 180  # systemd waits 90 s for a unit, then kills it
HERE = "localhost"  # what runs on this machine was ended before


def on_servers(settings: Settings, evidence: Evidence) -> tuple[bool, str]:
    """End the run's units on every server that it may reach: (nothing of it goes on there, words)."""
    order = read_json(evidence.order)
    repository = Path(order["repository"])
    playbook = playbooks.path(repository, order["activity"])
    names = playbooks.limit(playbook, order["servers"]).split(",") if playbook.exists() else order["servers"]
    if not evidence.attempts():
        return True, ""  # nothing was launched
    try:
        script = (repository / SCRIPT).read_text()
    except OSError as error:
        return False, str(error)
    ended: list[str] = []
    faults: list[str] = []
    for name in names:
        if name != HERE:
            units, fault = _on_server(settings, order, script, name)
            ended += [f"{unit} on {name}" for unit in units]
            faults += [f"{name}: {fault}"] if fault else []
    words = [f"ended {', '.join(ended)}"] if ended else []
    return not faults, "; ".join([*words, *faults])


def _on_server(
    settings: Settings, order: dict[str, str], script: str, name: str
) -> tuple[Sequence[str], str]:
    """(the units that were ended, what went wrong) on a server, or on those of a group."""
    repository, inventory = Path(order["repository"]), Path(order["inventory"])
    folders = [inventory, provider_folder(inventory.parent)]
    arguments = {"argv": ["sh", "-s", "stop", order["run"]], "stdin": script}
    command = [
        str(Path(sys.executable).parent / "ansible"),
        *[word for folder in folders if folder for word in ("-i", str(folder))],
        *["--become", "-m", "ansible.builtin.command", "-a", json.dumps(arguments), "--", name],
    ]
    try:
        done = subprocess.run(
            command,
            cwd=repository,
            env=os.environ | execution.environment(repository, settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], str(error)
    units = [line for line in done.stdout.splitlines() if line.startswith(f"amc-{order['run']}-")]
    if done.returncode:
        return units, " ".join(f"{done.stdout} {done.stderr}".split())[-500:]
    return units, ""
