"""What the patch tests do on a server and on this machine."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class PatchedServer:
    """A lab server that runs M EMS."""

    name: str
    ssh_config: Path
    folder: Path  # of this machine, for what a playbook needs

    def _ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ssh", "-F", str(self.ssh_config), self.name, command],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    def shell(self, command: str) -> str:
        done = self._ssh(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def succeeds(self, command: str) -> bool:
        return self._ssh(command).returncode == 0

    def wait(self, command: str, what: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.succeeds(command):
            assert time.monotonic() < until, f"waited {seconds} s for {what}"
            time.sleep(0.2)

    def lines_of(self, path: str, first_word: str) -> int:
        return int(self.shell(f"sudo grep -c ^{first_word} {path} || true"))

    def fingerprint(self) -> str:
        """Packages, their configuration, apt's lists and caches, units' starts, and our own folders."""
        return self.shell(
            "dpkg-query -W | sha256sum; sudo find /etc /var/lib/apt /var/cache/apt /usr/local /usr/sbin -xdev"
            " -printf '%p %s %T@\\n' | sort | sha256sum; sudo ls -R /var/lib/amc 2>/dev/null | sha256sum;"
            " systemctl list-units --all --no-legend 'amc-*'"
        )

    def run_files(self, run_id: str) -> str:
        """Each file of the run's record, with its content and the time of its writing."""
        folder = f"/var/lib/amc/runs/{run_id}"
        return self.shell(f"sudo find {folder} -printf '%p %T@\\n' | sort; sudo sh -c 'sha256sum {folder}/*'")

    def apt_upgrades(self) -> int:
        """How often apt has been asked to upgrade, by its own history."""
        return int(self.shell("grep -cE '^Commandline: apt-get .* upgrade' /var/log/apt/history.log || true"))


class Playbook:
    """playbooks/patch.yml for one run id."""

    def __init__(self, server: PatchedServer, run_id: str, evidence: Path | None = None) -> None:
        self._control = server.folder / "ssh"
        self._control.mkdir(exist_ok=True)
        inventory = server.folder / "hosts.yml"
        inventory.write_text(f"mems: {{hosts: {{{server.name}: {{amc_throwaway: true}}}}}}\n")
        self._command = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            str(inventory),
            "playbooks/patch.yml",
            f"-eamc_run_id={run_id}",
            f"-eamc_evidence_dir={evidence or ''}",
            '-e{"patch_without_proven_backup": "these tests are about the patch"}',
        ]
        self._environment = {
            **os.environ,
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {server.ssh_config}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._control),
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *more],
            cwd=REPOSITORY,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
            stdin=subprocess.DEVNULL,
        )

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def connections(self) -> list[int]:
        """The ssh masters that stay after a playbook: they belong to nobody's process tree."""
        return [pid for pid in _processes() if str(self._control).encode() in _read(pid, "cmdline")]


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def descendants(pid: int) -> list[int]:
    """Children and theirs, also those that made a session of their own (ansible's workers do)."""
    parents = {
        each: stat.rpartition(b")")[2].split()[1] for each in _processes() if (stat := _read(each, "stat"))
    }
    found, layer = [], [pid]
    while layer:
        layer = [each for each, parent in parents.items() if int(parent) in layer]
        found += layer
    return found


def end(pids: Iterable[int], how: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            continue
