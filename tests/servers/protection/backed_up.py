"""An M EMS server and its backup server in a lab, and what tests do on the two."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import Lab

REPOSITORY = Path(__file__).parents[3]
MEMS, BACKUP = "mems1", "backup1"
STATE = f"/var/lib/amc/backup/{MEMS}"
CATALOGUE = f"/var/lib/barman/{MEMS}"
PROGRAMS = "/usr/local/lib/amc/backup"
TIMERS = [f"amc-backup-{what}@{MEMS}.timer" for what in ("files", "mark", "watch", "nightly")]
LAYER_SECONDS, PLAYBOOK_SECONDS = 900, 600


class Pair:
    """Both servers, from their saved layers. `folder` of this machine keeps the secrets."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.secrets = folder / "secrets"

    def start(self) -> "Pair":
        """Start them, pair them, and make a first backup."""
        for name, layer in ((MEMS, "mems_layer.py"), (BACKUP, "backup_layer.py")):
            made = subprocess.run(
                [sys.executable, REPOSITORY / "molecule/lab" / layer],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                timeout=LAYER_SECONDS,
            )
            self.lab.up([name], layer=made.stdout.strip())
        self.secrets.mkdir(parents=True, mode=0o700)
        packed = self.shell(MEMS, "sudo tar -C /var/lib/amc/layer-secrets -c . | base64")
        subprocess.run(
            ["sh", "-c", f"base64 -d | tar -x -C {self.secrets}"], input=packed, text=True, check=True
        )
        self.wait(MEMS, "sudo /usr/local/lib/mems/check", "M EMS to answer", 90)
        done = self.playbook("playbooks/backup.yml")
        assert done.returncode == 0, done.stdout[-4000:]
        return self

    def playbook(self, *words: str) -> subprocess.CompletedProcess[str]:
        """ansible-playbook for the two."""
        control = self.folder / "ssh"
        control.mkdir(exist_ok=True)
        environment = {
            **os.environ,
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {self.lab.ssh_config}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(control),
            "ANSIBLE_NOCOLOR": "1",
            "AMC_SECRETS_DIR": str(self.secrets),
        }
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", "molecule/lab/inventory", *words]
        return subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PLAYBOOK_SECONDS,
            stdin=subprocess.DEVNULL,
        )

    def run(self, server: str, command: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """A command there as `ops`, who may sudo."""
        return subprocess.run(
            ["ssh", "-F", str(self.lab.ssh_config), server, command],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )

    def shell(self, server: str, command: str, seconds: float = 180) -> str:
        """The output of one that must succeed."""
        done = self.run(server, command, seconds)
        assert done.returncode == 0, f"{server}: {command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def root(self, server: str, script: str, seconds: float = 180) -> str:
        """The output of a script of root's that must succeed."""
        done = subprocess.run(
            ["ssh", "-F", str(self.lab.ssh_config), server, "sudo bash -eu -o pipefail -s"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{server}: {script}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def program(self, name: str, *words: str, prefix: Sequence[str] = (), seconds: float = 600) -> Any:
        """What a program of the backup server prints, good or bad."""
        command = ["sudo", *prefix, "python3", "-B", f"{PROGRAMS}/{name}.py", "--server", MEMS, *words]
        done = self.run(BACKUP, " ".join(command), seconds)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}") from None

    def wait(self, server: str, command: str, what: str, seconds: float) -> None:
        """Until a command there succeeds."""
        until = time.monotonic() + seconds
        while self.run(server, command).returncode != 0:
            assert time.monotonic() < until, f"waited {seconds} s for {what}"
            time.sleep(0.5)

    def timers(self, verb: str) -> None:
        """`stop` or `start` what works by itself, so that a test alone decides what happens when."""
        self.shell(BACKUP, f"sudo systemctl {verb} {' '.join(TIMERS)}")
