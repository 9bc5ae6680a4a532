"""The saved layer with M EMS deployed: a server started from it answers business calls within seconds.

    python molecule/lab/mems_layer.py [--json]

Prints the layer's key, for `amc lab up --server mems1 --layer KEY`; builds the layer where there is none yet,
by playbooks/deploy.yml. With --json it prints {"layer": KEY, "built": whether this call built it}.
The layer belongs to the server name mems1, whose certificate it holds. What was made for it (CA, passwords)
lies in the server at SECRETS: copy it to your AMC_SECRETS_DIR to run playbooks against it.
The key follows the content of the roles, so a changed role has a new layer.
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
from pathlib import Path

from lab import Lab, LabError
from lab.locks import file_lock
from orchestrator import settings

REPOSITORY = Path(__file__).parents[2]
SOURCES = (
    "ansible.cfg",
    "playbooks/deploy.yml",
    "roles/base",
    "roles/mems",
    "roles/mems_tryton",
    "molecule/lab",
)
INVENTORY = REPOSITORY / "molecule/lab/inventory/hosts.yml"
SERVER = "mems1"
SECRETS = "/var/lib/amc/layer-secrets"
BUILD_SECONDS = 900


def key() -> str:
    """Name of the layer for the roles as they are now."""
    digest = hashlib.sha256()
    for source in SOURCES:
        top = REPOSITORY / source
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(REPOSITORY)}\0".encode() + path.read_bytes() + b"\0")
    return f"mems-{digest.hexdigest()[:12]}"


def ensure(cache: Path) -> tuple[str, bool]:
    """The layer's key, and whether it was built here and now; it exists afterwards. Progress on stderr.

    LabError when it can't be built.
    """
    wanted = key()
    if _lab(cache).has_layer(wanted):
        return wanted, False
    cache.mkdir(parents=True, exist_ok=True)
    what = "another command to finish building the M EMS layer"
    with file_lock(cache / "mems-layer.lock", what, BUILD_SECONDS, _say):
        lab = _lab(cache)
        if lab.has_layer(wanted):  # the other command has built it
            return wanted, False
        started = time.monotonic()
        lab.down()  # what a killed build left
        shutil.rmtree(lab.home, ignore_errors=True)
        try:
            _build(lab, wanted)
        finally:
            lab.down()
            shutil.rmtree(lab.home, ignore_errors=True)
        _say(f"layer {wanted}: built in {time.monotonic() - started:.0f} s")
    return wanted, True


def _lab(cache: Path) -> Lab:
    return Lab(cache / "mems-layer", cache, say=_say)


def _build(lab: Lab, wanted: str) -> None:
    lab.up([SERVER])
    secrets = lab.home / "secrets"
    _say(f"layer {wanted}: deploying M EMS, first in check mode (once per change of the roles)")
    _deploy(lab, secrets, "--check")
    _deploy(lab, secrets)
    keep = f"sudo mkdir -p -m 700 {SECRETS} && sudo tar -C {SECRETS} -x && sync"
    packed = subprocess.run(["tar", "-C", secrets, "-c", "."], capture_output=True, check=True).stdout
    subprocess.run(["ssh", "-F", lab.ssh_config, SERVER, keep], input=packed, timeout=60, check=True)
    lab.save_layer(SERVER, wanted)


def _deploy(lab: Lab, secrets: Path, *options: str) -> None:
    command = [Path(sys.executable).parent / "ansible-playbook", "-i", INVENTORY, "playbooks/deploy.yml"]
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_SSH_COMMON_ARGS": f"-F {lab.ssh_config}",
        "AMC_SECRETS_DIR": str(secrets),
    }
    done = subprocess.run(
        [*command, *options],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(
            f"M EMS could not be deployed {' '.join(options)}\n{done.stdout[-4000:]}", "mend the roles"
        )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it takes its lab down
    words = argparse.ArgumentParser()
    words.add_argument("--json", action="store_true", help="print whether it was built, too")
    asked = words.parse_args()
    try:
        layer, built = ensure(settings.read().cache)
        print(json.dumps({"layer": layer, "built": built}) if asked.json else layer)
    except LabError as error:
        sys.exit(f"mems_layer: {error}")
