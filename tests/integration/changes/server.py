"""A git server on loopback with the hook, an installation beside it, and an engineer's clone."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
DEADLINE_S = 150
HOSTS = """\
all:
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  children:
    mems:
      hosts:
        acme-erp1:
"""
CONTRACT = """\
amc_contract:
  customer: acme
  customer_name: Acme Trading LLC
  number: T-1
  version: 1
  mode: retainer
  time_zone: Asia/Dubai
  term: {start: 2020-01-01}
  hours: {per_calendar_year: 10}
  maintenance_windows: [{days: [DAYS], start: "00:00", end: "24:00"}]
"""
EVERY_DAY = "monday, tuesday, wednesday, thursday, friday, saturday, sunday"
# The server is a folder; what a role would do is one file with the variable's value.
PLAYBOOK = """\
- name: Make the server what the inventory says
  hosts: mems
  gather_facts: false
  tasks:
    - name: The greeting
      ansible.builtin.copy:
        content: "{{ VARIABLE }}"
        dest: HOUSE/servers/{{ inventory_hostname }}.ACTIVITY
        mode: "0600"
    - name: Count
      ansible.builtin.shell: echo {{ amc_run_id }} >> HOUSE/servers/runs
      when: not ansible_check_mode
"""
# As `amc` of an installation's .venv/bin.
AMC = """\
#!/bin/sh
exec PYTHON -m orchestrator.cli.main "$@"
"""


@dataclass
class Server:
    """`folder` holds everything: remote.git, clone, home, and servers/, what runs have made."""

    folder: Path
    port: int = 0
    daemon: "subprocess.Popen[bytes] | None" = None

    @property
    def bare(self) -> Path:
        return self.folder / "remote.git"

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """An installation whose own checkout nobody updates."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AMC_", "ANSIBLE_", "GIT_", "PULUMI_"))
        }
        own = {
            "AMC_HOME": str(self.home),
            "AMC_REPOSITORY": str(self.folder / "installed"),
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        return kept | own

    def build(self, days: str = EVERY_DAY) -> None:
        """The first commit, on the server; the installation has a copy of it. No hook yet."""
        (self.folder / "servers").mkdir(parents=True)
        (self.folder / "gitconfig").write_text(
            "[user]\nname = R. Weber\nemail = weber@example.com\n[init]\ndefaultBranch = main\n"
            "[advice]\ndetachedHead = false\n"
        )
        self.git("init", "--quiet", "--bare", str(self.bare), cwd=self.folder)
        self.git("clone", "--quiet", str(self.bare), str(self.clone), cwd=self.folder)
        self.write("inventories/acme/hosts.yml", HOSTS)
        self.write("inventories/acme/group_vars/all/contract.yml", CONTRACT.replace("DAYS", days))
        self.write("inventories/acme/host_vars/acme-erp1.yml", "mems_greeting: hello\nharden_banner: low\n")
        for activity, variable in (("deploy", "mems_greeting"), ("harden", "harden_banner")):
            text = PLAYBOOK.replace("HOUSE", str(self.folder)).replace("VARIABLE", variable)
            self.write(f"playbooks/{activity}.yml", text.replace("ACTIVITY", activity))
        gate = "playbooks/callback_plugins/amc.py"  # a run of a kept commit passes it, too
        self.write(gate, (REPOSITORY / gate).read_text())
        self.commit("The beginning")
        self.git("push", "--quiet", "origin", "main")
        shutil.copytree(self.clone, self.folder / "installed", ignore=shutil.ignore_patterns(".git"))

    def serve(self) -> None:
        """`git daemon` with the hook; the clone's origin is its address from now on."""
        amc = self.folder / "amc"
        amc.write_text(AMC.replace("PYTHON", sys.executable))
        amc.chmod(0o755)
        file = self.folder / "environment"
        own = {name: value for name, value in self.environment.items() if name.startswith("AMC_")}
        file.write_text("".join(f"{name}='{value}'\n" for name, value in own.items()))
        self.git("config", "amc.command", str(amc), cwd=self.bare)
        self.git("config", "amc.environment", str(file), cwd=self.bare)
        hook = self.bare / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "scripts" / "post-receive", hook)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        words = ["daemon", "--listen=127.0.0.1", f"--port={self.port}", f"--base-path={self.folder}"]
        words += ["--reuseaddr", "--export-all", "--enable=receive-pack", "--log-destination=none"]
        self.daemon = subprocess.Popen(
            ["git", *words, str(self.folder)], env=self.environment, start_new_session=True
        )
        deadline = time.monotonic() + DEADLINE_S
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            assert time.monotonic() < deadline and self.daemon.poll() is None, "git daemon doesn't answer"
            time.sleep(0.05)
        self.git("remote", "set-url", "origin", f"git://127.0.0.1:{self.port}/remote.git")

    def work(self) -> None:
        """A worker that stays, as an installation has one."""
        log = (self.folder / "worker.log").open("ab")
        words = [sys.executable, "-m", "orchestrator.cli.main", "worker"]
        with log:
            subprocess.Popen(words, env=self.environment, stdout=log, stderr=log, start_new_session=True)

    def close(self) -> None:
        """End the server, and whatever of the installation still works."""
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait(DEADLINE_S)
        from orchestrator.runs.processes import carrying, end

        assert end(carrying("AMC_HOME", str(self.home)), patience=1) == []

    def write(self, path: str, text: str) -> None:
        file = self.clone / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, words: str) -> str:
        """Everything in the clone; the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", words)
        return self.head()

    def head(self, name: str = "HEAD") -> str:
        return self.git("rev-parse", name).stdout.strip()

    def git(self, *words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done

    def amc(self, *words: str, exit_code: int = 0) -> "subprocess.CompletedProcess[str]":
        """As a user calls it; the exit code must be the expected one."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli.main", *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        said = f"amc {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == exit_code and "Traceback" not in done.stderr, said
        return done

    def change(self, verb: str, base: str, head: str, *more: str, exit_code: int = 0) -> Any:
        """`amc change VERB --json` on the bare repository."""
        words = ("change", verb, "--git", str(self.bare), "--base", base, "--head", head, *more, "--json")
        return json.loads(self.amc(*words, exit_code=exit_code).stdout)

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.amc("run", "list", "--json").stdout)
        return found

    def until_ended(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many runs have ended."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            runs = self.runs()
            if sum(run["ended_at"] is not None for run in runs) >= count:
                return runs
            assert time.monotonic() < deadline, f"{runs}\n{self.logs()}"
            time.sleep(0.3)

    def logs(self) -> str:
        paths = [
            self.folder / "worker.log",
            self.home / "worker.log",
            *sorted(self.home.glob("runs/*/attempt-*/*.log")),
        ]
        paths += sorted(self.home.glob("runs/*/attempt-*/log.txt"))
        return "\n".join(f"--- {path}\n{path.read_text()}" for path in paths if path.exists())

    def made(self, activity: str = "deploy", server: str = "acme-erp1") -> str:
        """What a run has made of the server; empty when none has."""
        file = self.folder / "servers" / f"{server}.{activity}"
        return file.read_text() if file.exists() else ""
