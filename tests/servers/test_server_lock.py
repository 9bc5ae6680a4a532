"""The lock on a server: one run at a time; one that is over keeps nobody out, one that is cancelled ends."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import Lab

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAME = "locked1"

# A step as roles run it: a unit of the run, which outlives the connection.
PATCH = """
- name: Patch
  hosts: mems
  become: true
  gather_facts: false
  vars: {step: "systemd-run --unit=amc-{{ amc_run_id }}-step --wait sleep 300"}
  pre_tasks: [{ansible.builtin.import_tasks: tasks/lock.yml, tags: [always]}]
  tasks:
    - ansible.builtin.command: "{{ step }}"
  post_tasks: [{ansible.builtin.import_tasks: tasks/release.yml, tags: [always]}]
"""
HOSTS = f"all: {{children: {{mems: {{hosts: {{{NAME}: }}}}}}}}\n"


@dataclass(frozen=True)
class Locked:
    """The server, and an installation whose customer has it."""

    lab: Lab
    repository: Path
    environment: dict[str, str]

    def root(self, command: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        words = ["ssh", "-F", str(self.lab.ssh_config), NAME, f"sudo {command}"]
        return subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    def lock(self) -> dict[str, str] | None:
        found = self.root("cat /run/amc/lock")
        return json.loads(found.stdout) if found.returncode == 0 else None

    def script(self, *words: str) -> "subprocess.CompletedProcess[str]":
        script = (self.repository / "playbooks/files/server_lock.sh").read_text()
        return self.root(f"sh -s {' '.join(words)}", script)

    def play(self, run: str, attempt: int = 1, step: str = "true") -> "subprocess.CompletedProcess[str]":
        """The playbook as that run's, with another step."""
        words = ["ansible-playbook", "-i", "inventories/acme", "playbooks/patch.yml", f"-estep={step}"]
        own = {"AMC_RUN_ID": run, "AMC_RUN_ATTEMPT": str(attempt)}
        return self._called(words, self.environment | own)

    def amc(self, *words: str, exit_code: int = 0) -> str:
        done = self._called(["amc", *words], self.environment)
        assert done.returncode == exit_code, f"{words}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout

    def show(self, run: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.amc("run", "show", run, "--json"))
        return found

    def until(self, what: str, met: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not met():
            assert time.monotonic() < deadline, f"waited 60 s for {what}"
            time.sleep(0.3)

    def order(self) -> str:
        """A run at work: its unit runs on the server."""
        words = ("run", "start", "patch", "--customer", "acme", "--now", "--why", "a test", "--json")
        run = str(json.loads(self.amc(*words))["id"])
        self.until("the step", lambda: self.root(f"systemctl is-active amc-{run}-step").returncode == 0)
        return run

    def ended(self) -> str:
        """A run of which the orchestrator says that it has ended."""
        listed = json.loads(self.amc("run", "list", "--json"))
        if not listed:
            listed = [{"id": self.order()}]
            self.amc("run", "cancel", listed[0]["id"], "--why", "it is to be over")
            self.until("the run's end", lambda: self.show(listed[0]["id"])["state"] == "cancelled")
        return str(listed[0]["id"])

    def _called(self, words: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [BIN / words[0], *words[1:]],
            cwd=self.repository,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def locked(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("locked")
    lab.up([NAME])
    for part in ("playbooks/files", "playbooks/tasks", "inventories/acme/group_vars"):
        shutil.copytree(REPOSITORY / part, folder / part)
    (folder / "playbooks/patch.yml").write_text(PATCH)
    (folder / "inventories/acme/hosts.yml").write_text(HOSTS)
    shutil.copy(REPOSITORY / "ansible.cfg", folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AMC_", "ANSIBLE_"))}
    own = {
        "AMC_HOME": str(folder / "home"),
        "AMC_REPOSITORY": str(folder),
        "AMC_SSH_CONFIG": str(lab.ssh_config),
        "ANSIBLE_SSH_COMMON_ARGS": f"-F {lab.ssh_config}",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "ssh"),
    }
    made = Locked(lab, folder, kept | own)
    made.amc("init")
    yield made
    lab.destroy(NAME)


def test_of_many_at_once_one_has_the_server(locked: Locked) -> None:
    """However many come in the same moment."""
    with ThreadPoolExecutor(6) as pool:
        codes = list(
            pool.map(lambda n: locked.script("take", f"run-{n}", "1", "test", "''").returncode, range(6))
        )
    assert sorted(codes) == [0, 75, 75, 75, 75, 75]
    owner = f"run-{codes.index(0)}"
    assert (locked.lock() or {})["run"] == owner
    locked.script("release", "run-of-another")
    assert locked.lock() is not None
    locked.script("release", owner)
    assert locked.lock() is None


def test_a_cancelled_run_ends_on_the_server_too(locked: Locked) -> None:
    """Its unit is ended, the lock given back, what was used settled; until then nobody else works there."""
    run = locked.order()
    assert (locked.lock() or {})["run"] == run
    strange = locked.play("acme-patch-other")
    assert strange.returncode != 0
    assert f"{NAME} is in the hands of {run}" in strange.stdout and f"{run} is running" in strange.stdout

    time.sleep(6)  # until a second heartbeat: what is stopped before it costs nothing
    locked.amc("run", "cancel", run, "--why", "users work late", "--by", "Ada")
    locked.until("the run's end", lambda: locked.show(run)["state"] != "running")
    found = locked.show(run)
    assert found["state"] == "cancelled", found
    assert "cancelled by Ada: users work late" in str(found["words"])
    assert f"amc-{run}-step.service on {NAME}" in str(found["words"])
    assert locked.root(f"systemctl is-active amc-{run}-step").stdout.strip() != "active"
    assert locked.lock() is None
    assert int(str(found["raw_seconds"])) > 0


def test_a_run_that_failed_keeps_nobody_out(locked: Locked) -> None:
    """Its lock stays until somebody asks, and while a unit of it is at work. Its next attempt takes it on."""
    run = locked.ended()
    assert locked.play(run, step="false").returncode != 0
    assert (locked.lock() or {})["attempt"] == "1"
    assert locked.play(run, attempt=2, step="false").returncode != 0
    assert (locked.lock() or {})["attempt"] == "2"
    assert locked.play(run, attempt=1).returncode != 0  # an attempt that was given up

    locked.root(f"systemd-run --unit=amc-{run}-late sleep 300")
    refused = locked.play("acme-patch-next")
    assert refused.returncode != 0 and f"its unit amc-{run}-late.service is at work" in refused.stdout
    locked.root(f"systemctl stop amc-{run}-late")
    taken = locked.play("acme-patch-next")
    assert taken.returncode == 0, taken.stdout
    assert locked.lock() is None


def test_a_lock_of_nobody_known_stays(locked: Locked) -> None:
    """What the orchestrator does not know is not proven to be over; the words say what to do."""
    locked.script("take", "run-of-elsewhere", "1", "test", "''")
    refused = locked.play("acme-patch-next")
    assert refused.returncode != 0
    assert (
        "there is no run run-of-elsewhere" in refused.stdout
        and "remove /run/amc/lock there" in refused.stdout
    )
    assert (locked.lock() or {})["run"] == "run-of-elsewhere"
    locked.script("release", "run-of-elsewhere")
