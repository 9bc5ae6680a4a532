"""A lab server that was started from the layer with M EMS."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab import Lab

REPOSITORY = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
NAME = "mems1"


@dataclass(frozen=True)
class MemsServer:
    """The server, and the folder of this machine that holds its secrets."""

    lab: Lab
    folder: Path

    def root(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command there as root; it has no single quotes."""
        return subprocess.run(
            ["ssh", "-F", self.lab.ssh_config, NAME, "sudo", "sh", "-c", f"'{command}'"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def play(self, playbook: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run one of our playbooks against it, by hand as an engineer would."""
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {self.lab.ssh_config}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "ssh"),
            "AMC_SECRETS_DIR": str(self.folder / "secrets"),
        }
        return subprocess.run(
            [
                BIN / "ansible-playbook",
                "-i",
                "molecule/lab/inventory/hosts.yml",
                f"playbooks/{playbook}.yml",
                *options,
            ],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


def start(lab: Lab, folder: Path) -> MemsServer:
    """From nothing (or the layer) to business calls; says how long it took."""
    program = [sys.executable, REPOSITORY / "molecule/lab/mems_layer.py"]
    layer = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=900, check=True).stdout.strip()
    started = time.monotonic()
    lab.up([NAME], layer=layer)
    server = MemsServer(lab, folder)
    while (done := server.root("/usr/local/lib/mems/check")).returncode != 0:
        assert time.monotonic() - started < 60, (
            f"waited 60 s for M EMS of {layer}: {done.stdout}{done.stderr}"
        )
    print(f"\n{layer}: business calls {time.monotonic() - started:.1f} s after start", file=sys.__stderr__)
    (folder / "secrets").mkdir(mode=0o700)
    packed = ["ssh", "-F", lab.ssh_config, NAME, "sudo tar -C /var/lib/amc/layer-secrets -c ."]
    secrets = subprocess.run(packed, capture_output=True, timeout=60, check=True).stdout
    subprocess.run(["tar", "-C", folder / "secrets", "-x"], input=secrets, timeout=60, check=True)
    return server
