"""A backup that a run ordered: its step, which works on when the controller is gone, and its report.

    run_backup.py anew   --server NAME --run RUN --step STEP     before the step: forget one that is done
    run_backup.py make   --server NAME --run RUN --step STEP     what the step's unit executes
    run_backup.py report --server NAME --run RUN --step STEP     after it, however it ended

As root. `anew` only lets `by-hand`, the id of all runs without the orchestrator, begin again. `report` writes
<runs>/<run>/<server>/backup.json: {"server", "activity", "backup": backup.py's record, "protection", "unit"}.
Each prints {"changed"}.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pair as pairs

RUNS = Path("/var/lib/amc/runs")
BY_HAND = "by-hand"


def anew(asked: argparse.Namespace) -> pairs.Record:
    """Forget the step of an earlier run by hand, if it was done; one that works or failed is gone on with."""
    state = RUNS / asked.run / f"{asked.step}.json"
    kept = pairs.read_json(state)
    if asked.run != BY_HAND or not kept or kept["attempts"][-1]["rc"] != 0:
        return {"changed": False}
    state.with_name(f"{asked.step}.outcome.json").unlink(missing_ok=True)
    state.unlink()
    return {"changed": True}


def make(asked: argparse.Namespace) -> pairs.Record:
    """Back up as barman; the record is the step's outcome. Exit code 1 when the backup is not ok."""
    command = [sys.executable, "-B", str(pairs.PROGRAMS / "backup.py"), "--server", asked.server]
    done = subprocess.run(
        [*command, "--run", asked.run], stdout=subprocess.PIPE, text=True, check=False, cwd="/"
    )
    try:
        record = json.loads(done.stdout)
    except ValueError:
        record = {"id": None, "ok": False, "problems": [f"backup.py ended with {done.returncode}"]}
    outcome = {"changed": True, "backup": record}
    pairs.write_json(Path(os.environ["AMC_OUTCOME"]), outcome)
    return outcome


def report(asked: argparse.Namespace) -> pairs.Record:
    """Write the report, if it says something new."""
    state = pairs.read_json(RUNS / asked.run / f"{asked.step}.json") or {}
    attempts = state.get("attempts") or [{"started": None, "ended": None}]
    document = {
        "server": asked.server,
        "activity": "backup",
        "backup": (state.get("outcome") or {}).get("backup"),
        "protection": pairs.read_json(pairs.STATES / asked.server / "protection.json"),
        "unit": {
            "name": state["unit"],
            "started": attempts[-1]["started"],
            "ended": attempts[-1]["ended"],
            "attempts": attempts,
        }
        if state
        else None,
    }
    path = RUNS / asked.run / asked.server / "backup.json"
    if pairs.read_json(path) == document:
        return {"changed": False}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pairs.write_json(path, document)
    return {"changed": True}


def main() -> int:
    """One of the three."""
    words = argparse.ArgumentParser()
    verbs = {"anew": anew, "make": make, "report": report}
    words.add_argument("verb", choices=verbs)
    for name in ("--server", "--run", "--step"):
        words.add_argument(name, required=True)
    asked = words.parse_args()
    answer = verbs[asked.verb](asked)
    print(json.dumps(answer))
    return 0 if answer.get("backup", {"ok": True})["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
