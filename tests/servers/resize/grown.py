"""An installation of its own with one customer and one small lab server, which its tests let grow."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.runs.attempts import MARK
from orchestrator.runs.processes import carrying

REPOSITORY = Path(__file__).parents[3]
CUSTOMER, SERVER = "by-hand", "mems1"  # the names that the saved layer's secrets are made for
WHY = "a server of a test has no backup server"
SMALL, LARGE = "lab.small", "lab.large"


@dataclass(frozen=True)
class Installation:
    """Its home, and the inventories that are its own."""

    home: Path
    environment: dict[str, str]

    def amc(
        self, *words: str, exit_code: int = 0, deadline_s: float = 300
    ) -> "subprocess.CompletedProcess[str]":
        """As a user calls it; the exit code must be the expected one."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli.main", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )
        said = f"amc {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == exit_code, said
        return done

    def json(self, *words: str, exit_code: int = 0) -> Any:
        return json.loads(self.amc(*words, "--json", exit_code=exit_code).stdout)

    def resize(self, *words: str, exit_code: int = 0) -> Any:
        """Order, approve and follow a resize; the run as `amc run show` has it."""
        ordered = self.order(*words, "--approve", "a test", "--wait")
        return self.json(*ordered, exit_code=exit_code)

    @staticmethod
    def order(*words: str) -> tuple[str, ...]:
        """The words of an order."""
        asked = ("run", "start", "resize", "--customer", CUSTOMER, "--server", SERVER)
        return (*asked, "--without-proven-backup", WHY, "--now", "--why", "a test", *words)

    def report(self, run: Any) -> dict[str, Any]:
        found: dict[str, Any] = run["reports"][SERVER]["resize"]
        return found

    def on(self, command: str) -> str:
        """What a command of root's prints on the server."""
        done = self.ssh(command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def ssh(self, command: str) -> "subprocess.CompletedProcess[str]":
        config = self.home / "lab/ssh_config"
        words = ["ssh", "-F", str(config), SERVER, "sudo", "bash", "-s"]
        return subprocess.run(words, input=command, capture_output=True, text=True, timeout=120, check=False)

    def inside(self) -> dict[str, int]:
        """CPUs, memory in MiB and disk in GiB as the server itself sees them."""
        cpus, memory, disk = self.on(
            "nproc; free -m | awk '/^Mem/ {print $2}'; df -BG --output=size / | tail -1"
        ).split()
        return {"cpus": int(cpus), "memory_mib": int(memory), "disk_gib": int(disk.rstrip("G"))}

    def processes(self, run: str) -> list[int]:
        """The worker, and everything that carries the run out on this machine; the servers' own aside."""
        lives = [*carrying(MARK, run), *carrying("AMC_HOME", str(self.home))]
        return sorted({each.pid for each in lives if not _serves_the_lab(each.pid)})

    def kill(self, run: str) -> list[int]:
        """SIGKILL for all of them; the pids."""
        pids = self.processes(run)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return pids

    def variables(self, **changed: Any) -> None:
        """Change lines of the server's host_vars, as a merged pull request would."""
        path = self.home / "inventories" / CUSTOMER / "host_vars" / f"{SERVER}.yml"
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changed))

    def load(self, rate: float) -> Callable[[], dict[str, Any]]:
        """Business calls from now on; what is returned ends them and tells how they were answered."""
        stop = self.home / "stop-load"
        stop.unlink(missing_ok=True)
        words = ["--customer", CUSTOMER, "--server", SERVER, "--rate", str(rate), "--seconds", "240"]
        process = subprocess.Popen(
            [sys.executable, REPOSITORY / "bench/load.py", *words, "--stop-file", stop],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )

        def ended() -> dict[str, Any]:
            stop.touch()
            printed, _ = process.communicate(timeout=90)
            report: dict[str, Any] = json.loads(printed)
            return report

        return ended


def _serves_the_lab(pid: int) -> bool:
    """The servers' own processes are no part of a run."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip() in ("lxcfs", "systemd-nspawn")
    return False


def install(home: Path) -> Installation:
    """An installation whose server answers business calls; its lab is not taken down here."""
    (home / "inventories" / "provider").mkdir(parents=True)
    (home / "inventories" / "provider" / "hosts.yml").write_text(
        "all: {children: {backup_server: {hosts: {backup9: {}}}}}\n"
    )
    folder = home / "inventories" / CUSTOMER
    shutil.copytree(REPOSITORY / "inventories/acme/group_vars", folder / "group_vars")
    contract = folder / "group_vars/all/contract.yml"
    contract.write_text(contract.read_text().replace("customer: acme", f"customer: {CUSTOMER}"))
    (folder / "group_vars/all/secrets.yml").unlink()
    shutil.copy(REPOSITORY / "molecule/lab/inventory/hosts.yml", folder / "hosts.yml")
    (folder / "host_vars").mkdir()
    said = {"server_provider": "lab", "server_spec": SMALL, "server_disk_gib": 8}
    (folder / "host_vars" / f"{SERVER}.yml").write_text(yaml.safe_dump(said))
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AMC_") or name == "AMC_CACHE"
    }
    own = {"AMC_HOME": str(home), "AMC_INVENTORIES": str(home / "inventories")}
    made = Installation(home, kept | own)
    program = [sys.executable, REPOSITORY / "molecule/lab/mems_layer.py"]
    layer = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=900, check=True).stdout.strip()
    made.amc("init")
    made.amc("lab", "up", "--customer", CUSTOMER, "--layer", layer)
    secrets = home / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    packed = [
        "ssh",
        "-F",
        str(home / "lab/ssh_config"),
        SERVER,
        "sudo tar -C /var/lib/amc/layer-secrets -c .",
    ]
    found = subprocess.run(packed, capture_output=True, timeout=60, check=True).stdout
    subprocess.run(["tar", "-C", secrets, "-x"], input=found, timeout=60, check=True)
    until = time.monotonic() + 90
    while (done := made.ssh("/usr/local/lib/mems/check")).returncode:
        assert time.monotonic() < until, f"waited 90 s for M EMS: {done.stdout}{done.stderr}"
    return made
