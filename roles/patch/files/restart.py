"""The restart step, first form: one after the other, whatever still runs on replaced files.

Runs in a unit of its own, away from any login, because dbus and logind are among what it restarts.

    restart.py --first PATTERN... --last PATTERN...

Order: the units that match --first, in its order; then the others by name; then --last, in its order.
"""

import argparse
import fnmatch
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import step

RESTART_SECONDS = 180
SYSTEMD = "systemd-manager"  # needrestart's name for process 1
USER_MANAGER = " @ user manager service"
ROUNDS = 2  # a restarted service can show another one that was hidden behind it


def parse_needrestart(text: str) -> dict[str, list[str]]:
    """`needrestart -b` -> {"services", "sessions", "kernel"}; kernel's state 2 or 3 wants a reboot."""
    found: dict[str, list[str]] = {"services": [], "sessions": [], "kernel": []}
    keys = {"SVC": "services", "SESS": "sessions", "KSTA": "kernel"}
    for line in text.splitlines():
        head, _, value = line.partition(":")
        key = keys.get(head.removeprefix("NEEDRESTART-"))
        if key:
            found[key].append(value.strip())
    return found


def on_old_files() -> dict[str, list[str]]:
    """Who runs on files that have been replaced, as needrestart sees it; see parse_needrestart."""
    done = subprocess.run(["needrestart", "-b", "-r", "l"], capture_output=True, text=True, check=False)
    if "NEEDRESTART-VER" not in done.stdout:
        raise RuntimeError(f"needrestart says nothing: exit code {done.returncode}: {done.stderr.strip()}")
    return parse_needrestart(done.stdout)


def ordered(units: list[str], first: list[str], last: list[str]) -> list[str]:
    """The units in the order of their restarts, see the module; `first` and `last` are shell patterns."""

    def place(unit: str) -> tuple[int, int, str]:
        for group, patterns in ((0, first), (2, last)):
            for number, pattern in enumerate(patterns):
                if fnmatch.fnmatchcase(unit, pattern):
                    return group, number, unit
        return 1, 0, unit

    return sorted(set(units), key=place)


def units_of(found: dict[str, list[str]], uid: Callable[[str], int]) -> list[str]:
    """What systemd can restart of what needrestart found: services, and the user managers among sessions."""
    managers = [name for name in found["sessions"] if name.endswith(USER_MANAGER)]
    return found["services"] + [f"user@{uid(name.removesuffix(USER_MANAGER))}.service" for name in managers]


def _restart(unit: str) -> str:
    """Restart it if it runs; what went wrong in words, or empty."""
    command = ["systemctl", "daemon-reexec"] if unit == SYSTEMD else ["systemctl", "try-restart", unit]
    print("+", *command, flush=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RESTART_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{unit} did not restart within {RESTART_SECONDS} s"
    failed = subprocess.run(["systemctl", "is-failed", "--quiet", unit], check=False).returncode == 0
    if done.returncode != 0 or failed:
        return f"{unit} did not come back: {done.stderr.strip() or 'it is failed'}"
    return ""


def main() -> int:
    """Exit code 0 when everything that was restarted runs."""
    words = argparse.ArgumentParser()
    words.add_argument("--first", nargs="*", default=[])
    words.add_argument("--last", nargs="*", default=[])
    asked = words.parse_args()
    outcome = Path(os.environ["AMC_OUTCOME"])
    restarted: list[str] = (step.read(outcome) or {"restarted": []})["restarted"]
    tried: set[str] = set()
    problems: list[str] = []
    for _ in range(ROUNDS):
        found = units_of(on_old_files(), lambda name: pwd.getpwnam(name).pw_uid)
        for unit in [unit for unit in ordered(found, asked.first, asked.last) if unit not in tried]:
            tried.add(unit)
            problem = _restart(unit)
            if problem:
                problems.append(problem)
                print(problem, flush=True)
            else:
                restarted.append(unit)
            step.write(outcome, {"changed": True, "restarted": restarted, "problems": problems})
    step.write(outcome, {"changed": bool(tried), "restarted": restarted, "problems": problems})
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
