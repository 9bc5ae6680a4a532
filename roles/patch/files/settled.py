"""Whether a run that is over left nothing to do, and the server still is as that run's report says.

    settled.py --run RUN

Reads only. Exit code 0 when it is so, 1 and why not in words when it isn't. The preflight asks this before it
keeps the record of the last run by hand; it lies beside the programs whose findings it asks for, so that both
are always of one version. What is pending the preflight itself knows.
"""

import argparse
import sys
from pathlib import Path

import packages
import restart
import step


def why_not(folder: Path) -> str:
    """The first thing that speaks against it, in words; empty when nothing does."""
    for name in ("apt", "restart"):
        ended = step.result(step.read(folder / f"{name}.json"))
        if ended != "success":
            return f"its step {name} ended with: {ended}"
    report, before = step.read(folder / "patch.json"), step.read(folder / "packages-before.json")
    if not report or before is None:
        return "it left no report"
    reported = {(change["name"], change["from"], change["to"]) for change in report["packages"]}
    now = packages.difference(before, packages.installed())
    # Or the next report would claim for this run what somebody else installed since.
    if reported != {(change["name"], change["from"], change["to"]) for change in now}:
        return "packages have changed since its report"
    try:
        old = restart.on_old_files()
    except (OSError, RuntimeError) as problem:
        return f"what runs on replaced files can't be asked: {problem}"
    # Only what the restart step can restart: a person's login on old files is no work for a next run.
    left = restart.units_of(old, lambda _name: 0)
    return f"on replaced files: {', '.join(left)}" if left else ""


def main() -> int:
    """See the module."""
    words = argparse.ArgumentParser()
    words.add_argument("--run", required=True)
    reason = why_not(step.RUNS / words.parse_args().run)
    print(reason or "settled")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
