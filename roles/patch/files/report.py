"""Write patch.json, the evidence of a patch run, from what its steps left in the run's folder.

    report.py --run RUN --server NAME --check-command COMMAND

Written whether the patch went well or not; a step that never began is null. A report that says what the one
already there says is not written again: how long M EMS's check took is no news. Prints {"written", "report"},
the report being the one that patch.json now holds.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import changelogs
import mems
import packages
import restart
import step

REBOOT_FLAG = Path("/run/reboot-required")
KERNEL_WANTS_REBOOT = {"2", "3"}
TIMINGS = "timings_ms"  # in what M EMS's check prints; other at every call


def _with_cves(
    changes: list[dict[str, Any]], before: packages.Installed
) -> tuple[list[dict[str, Any]], list[str]]:
    """Each package with the CVE ids named since its old version, and the packages without a changelog."""
    no_changelog = []
    for change in changes:
        change["cves"] = []
        if change["from"] is None or change["to"] is None:
            continue
        changelog = changelogs.read(change["name"])
        if changelog is None:
            no_changelog.append(change["name"])
        else:
            change["cves"] = changelogs.cves_since(changelog, before[change["name"]]["source_version"])
    return changes, no_changelog


def _unit_of(state: step.State | None) -> dict[str, Any] | None:
    """The apt unit's last attempt, and beside it every one that there was."""
    if not state or not state["attempts"]:
        return None
    last = state["attempts"][-1]
    return {
        "name": state["unit"],
        "started": last["started"],
        "ended": last["ended"],
        "result": step.result(state),
        "attempts": state["attempts"],
    }


def _failed_units() -> list[str]:
    listed = subprocess.check_output(["systemctl", "--failed", "--plain", "--no-legend"], text=True)
    return [line.split()[0] for line in listed.splitlines() if line.strip()]


def gather(asked: argparse.Namespace) -> dict[str, Any]:
    """The report; its keys are what the orchestrator reads."""
    folder = step.RUNS / asked.run
    preflight = step.read(folder / "preflight.json") or {}
    before = step.read(folder / "packages-before.json")
    changes, no_changelog = (
        _with_cves(packages.difference(before, packages.installed()), before) if before else ([], [])
    )
    restarts = step.read(folder / "restart.json") or {}
    try:
        old = restart.on_old_files()
    except (FileNotFoundError, RuntimeError):  # the apt step ended before it could install needrestart
        old = {"services": [], "sessions": [], "kernel": []}
    return {
        "server": asked.server,
        "activity": "patch",
        "packages": changes,
        "cves": sorted({cve for change in changes for cve in change["cves"]}),
        "no_changelog": no_changelog,
        "kept_back": preflight.get("kept_back", []),
        "overrides": preflight.get("overrides", []),
        "unit": _unit_of(step.read(folder / "apt.json")),
        "restarted": (restarts.get("outcome") or {}).get("restarted", []),
        "left_on_old_libraries": old["services"] + [f"session {session}" for session in old["sessions"]],
        "failed_units": _failed_units(),
        "check_before": preflight.get("check"),
        "check_after": mems.ask(asked.check_command),
        "reboot_wanted": REBOOT_FLAG.exists() or bool(KERNEL_WANTS_REBOOT & set(old["kernel"])),
    }


def _without_timings(report: dict[str, Any]) -> dict[str, Any]:
    bare = dict(report)
    for key in ("check_before", "check_after"):
        if isinstance(report[key], dict):  # a check may print anything, or nothing
            bare[key] = {name: value for name, value in report[key].items() if name != TIMINGS}
    return bare


def keep(path: Path, report: dict[str, Any]) -> dict[str, Any]:
    """Write the report if it has news, see the module; what is printed."""
    there = step.read(path)
    if there and _without_timings(there) == _without_timings(report):
        return {"written": False, "report": there}
    step.write(path, report)
    return {"written": True, "report": report}


def main() -> int:
    """Write it, print it."""
    words = argparse.ArgumentParser()
    words.add_argument("--run", required=True)
    words.add_argument("--server", required=True)
    words.add_argument("--check-command", required=True)
    asked = words.parse_args()
    print(json.dumps(keep(step.RUNS / asked.run / "patch.json", gather(asked))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
