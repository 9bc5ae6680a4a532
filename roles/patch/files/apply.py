"""The apt step: every pending update, no service restarted. Runs inside the unit that step.py starts.

`upgrade --with-new-pkgs` takes new packages in (a new kernel has a new name) and removes nothing; what would
need a removal is kept back and reported. Services are held because policy-rc.d answers 101 here: it stands in
the unit's own mount namespace only, never on the server itself, and needs no removing however this ends.

A run that was cut short goes on here: what dpkg can configure it configures first, then apt mends the rest.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import packages

FOLDER = Path(os.environ["AMC_RUN_FOLDER"])
LOCK_SECONDS = int(os.environ.get("AMC_LOCK_SECONDS", "300"))
APT = [
    "apt-get",
    "-y",
    "-q",
    "--no-remove",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    f"DPkg::Lock::Timeout={LOCK_SECONDS}",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
]
# needrestart's hook in apt is told to keep still: restarts are a step of their own.
QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "NEEDRESTART_SUSPEND": "1",
    "LC_ALL": "C.UTF-8",
    "UCF_FORCE_CONFFOLD": "1",
}


class StepFailed(Exception):
    """A command of the step did not end well; its output stands in the unit's log."""


def _run(*command: str) -> None:
    print("+", " ".join(command), flush=True)
    code = subprocess.run(command, env={**os.environ, **QUIET}, check=False).returncode
    if code != 0:
        raise StepFailed(f"{' '.join(command)} ended with {code}")


def _refresh_lists() -> None:
    """`apt-get update`, any failure of a source counts. It does not wait for the lists' lock: ask again."""
    until = time.monotonic() + LOCK_SECONDS
    while True:
        command = ["apt-get", "-q", "update", "--error-on=any"]
        done = subprocess.run(
            command, env={**os.environ, **QUIET}, capture_output=True, text=True, check=False
        )
        if done.returncode == 0 or "Could not get lock" not in done.stderr or time.monotonic() > until:
            break
        time.sleep(2)
    print("+", " ".join(command), done.stdout, done.stderr, sep="\n", flush=True)
    if done.returncode != 0:
        raise StepFailed(f"the package lists can't be refreshed: {done.stderr.strip()}")


def _remember_packages() -> packages.Installed:
    """What was installed before the run's first change; a second attempt finds the first one's list."""
    path = FOLDER / "packages-before.json"
    if not path.exists():
        part = path.with_suffix(".part")
        part.write_text(json.dumps(packages.installed()))
        part.chmod(0o600)
        part.replace(path)
    before: packages.Installed = json.loads(path.read_text())
    return before


def main() -> int:
    """Exit code 0 when nothing is left to update."""
    before = _remember_packages()
    problem = ""
    try:
        with contextlib.suppress(
            StepFailed
        ):  # half of an upgrade can't be configured: apt brings the other half
            _run("dpkg", "--force-confdef", "--force-confold", "--configure", "-a")
        _refresh_lists()
        _run(*APT, "--fix-broken", "upgrade", "--with-new-pkgs")
        _run(*APT, "--no-install-recommends", "install", "needrestart")
    except StepFailed as failure:
        problem = str(failure)
        print(problem, flush=True)
    changes = packages.difference(before, packages.installed())
    Path(os.environ["AMC_OUTCOME"]).write_text(json.dumps({"changed": bool(changes), "problem": problem}))
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
