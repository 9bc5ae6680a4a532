"""Saved layers of the lab, each made by a playbook of the suite; mems_layer.py and backup_layer.py are two.

Run as a program each prints its layer's key, for `amc lab up --server NAME --layer KEY`, and builds the layer
where there is none yet. With --json it prints {"layer": KEY, "built": whether this call built it}.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab import Lab, LabError
from lab.locks import file_lock
from orchestrator import settings

REPOSITORY = Path(__file__).parents[2]
BUILD_SECONDS = 900


@dataclass(frozen=True)
class Layer:
    """A layer of `server`, made by `playbook` with each of `passes` as further words of the command line.

    `sources` are files and folders whose content names it: another content is another layer. What the
    playbook makes in the controller's secrets is kept in the server's folder `secrets`, where one is named.
    """

    name: str
    server: str
    playbook: str
    sources: tuple[str, ...]
    passes: tuple[tuple[str, ...], ...] = ((),)
    secrets: str | None = None

    def key(self) -> str:
        """Its name, for the sources as they are now."""
        digest = hashlib.sha256()
        for source in self.sources:
            top = REPOSITORY / source
            for path in [top] if top.is_file() else sorted(top.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    digest.update(f"{path.relative_to(REPOSITORY)}\0".encode() + path.read_bytes() + b"\0")
        return f"{self.name}-{digest.hexdigest()[:12]}"

    def ensure(self, cache: Path) -> tuple[str, bool]:
        """Its key, and whether it was built here and now; it exists afterwards. Progress on stderr.

        LabError when it can't be built.
        """
        wanted = self.key()
        lab = Lab(cache / f"{self.name}-layer", cache, say=_say)
        if lab.has_layer(wanted):
            return wanted, False
        cache.mkdir(parents=True, exist_ok=True)
        what = f"another command to finish building the layer {self.name}"
        with file_lock(cache / f"{self.name}-layer.lock", what, BUILD_SECONDS, _say):
            if lab.has_layer(wanted):  # the other command has built it
                return wanted, False
            started = time.monotonic()
            lab.down()  # what a killed build left
            shutil.rmtree(lab.home, ignore_errors=True)
            try:
                self._build(lab, wanted)
            finally:
                lab.down()
                shutil.rmtree(lab.home, ignore_errors=True)
            _say(f"layer {wanted}: built in {time.monotonic() - started:.0f} s")
        return wanted, True

    def _build(self, lab: Lab, wanted: str) -> None:
        lab.up([self.server])
        secrets = lab.home / "secrets"
        for options in self.passes:
            _say(
                f"layer {wanted}: {self.playbook} {' '.join(options)} (once per change of what it is made of)"
            )
            self._play(lab, secrets, options)
        if self.secrets:
            keep = f"sudo mkdir -p -m 700 {self.secrets} && sudo tar -C {self.secrets} -x && sync"
            packed = subprocess.run(["tar", "-C", secrets, "-c", "."], capture_output=True, check=True).stdout
            command = ["ssh", "-F", lab.ssh_config, self.server, keep]
            subprocess.run(command, input=packed, timeout=60, check=True)
        lab.save_layer(self.server, wanted)

    def _play(self, lab: Lab, secrets: Path, options: tuple[str, ...]) -> None:
        inventory = REPOSITORY / "molecule/lab/inventory"
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, self.playbook]
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {lab.ssh_config}",
            "AMC_SECRETS_DIR": str(secrets),
        }
        done = subprocess.run(
            [*command, "--limit", self.server, *options],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            words = f"{self.playbook} {' '.join(options)} failed on {self.server}\n{done.stdout[-4000:]}"
            raise LabError(words, "mend the roles")


def command_line(layer: Layer) -> None:
    """What both programs do."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it takes its lab down
    words = argparse.ArgumentParser()
    words.add_argument("--json", action="store_true", help="print whether it was built, too")
    asked = words.parse_args()
    try:
        key, built = layer.ensure(settings.read().cache)
        print(json.dumps({"layer": key, "built": built}) if asked.json else key)
    except LabError as error:
        sys.exit(f"{layer.name}_layer: {error}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
