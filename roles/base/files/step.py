"""Run a long step of a run as the systemd unit `amc-<run>-<step>`, which outlives the connection that asked.

    step.py start --run RUN --step STEP [--deadline SECONDS] [--property P]... -- COMMAND...

starts the unit and waits for it. Asked again with the same run and step it waits for a unit that still works,
starts one that failed or was lost anew, and never repeats one that is done. Prints the step's state as JSON,
with `changed` (the step that was started or waited for changed the server), `words` (why it is not done, else
empty) and `log_tail`. Exit code 0 done, 1 not.

The state, <runs>/<run>/<step>.json, is written by the unit itself, since a reboot forgets transient units:
{"unit", "log", "attempts": [{"started", "ended", "rc"}], "outcome"}. Times are UTC in ISO 8601; `ended` and
`rc` are null while the step works. `outcome` is the JSON that the command leaves in the file that AMC_OUTCOME
names, with at least `changed`; a later attempt still finds there what the one before it left.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

State = dict[str, Any]
RUNS = Path("/var/lib/amc/runs")
POLL_SECONDS = 0.5
AT_WORK = {"active", "activating", "deactivating", "reloading"}


class Refused(Exception):
    """The step can't be started or asked for; the reason in words."""


def result(state: State | None) -> str:
    """success | failed | lost (it began and left no end: killed, or the server went down) | none."""
    if not state or not state["attempts"]:
        return "none"
    code = state["attempts"][-1]["rc"]
    if code is None:
        return "lost"
    return "success" if code == 0 else "failed"


def decide(state: State | None, active: bool) -> str:
    """What a request for the step means now: `wait` for it, `start` it, or it is `done`."""
    if active:
        return "wait"
    return "done" if result(state) == "success" else "start"


def complaint(unit: str, end: str, state: State) -> str:
    """Why the step is not done, in words; empty when it is."""
    if end == "success":
        return ""
    if end == "failed":
        return f"the unit {unit} failed with exit code {state['attempts'][-1]['rc']}"
    return f"the unit {unit} ended without a result: it was killed, or the server went down"


def unit_name(run_id: str, step: str) -> str:
    """The unit of a step; refuses what can't stand in a unit's name."""
    for word in (run_id, step):
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", word):
            raise Refused(f"{word!r}: a run and a step are named by a-z, 0-9 and - only")
    return f"amc-{run_id}-{step}"


def read(path: Path) -> Any:
    """The JSON document in the file, or None without one."""
    return json.loads(path.read_text()) if path.exists() else None


def write(path: Path, document: object) -> None:
    """All or nothing, also through a power cut."""
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_active(unit: str) -> bool:
    """Whether the unit works. systemd may be re-executing itself (its own update does that): ask again."""
    command = ["systemctl", "show", "-P", "ActiveState", f"{unit}.service"]
    for _ in range(40):
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            return shown.stdout.strip() in AT_WORK
        time.sleep(POLL_SECONDS)
    raise Refused(f"systemd does not say how {unit} is: {shown.stderr.strip()}")


def _tail(log: Path, lines: int = 15) -> list[str]:
    return log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []


def _launch(unit: str, log: Path, asked: argparse.Namespace) -> None:
    """Start the unit; one that somebody else started in the same moment serves as well."""
    output = [f"StandardOutput=append:{log}", "StandardError=inherit", "StandardInput=null"]
    command = ["systemd-run", "--quiet", "--collect", f"--unit={unit}", "--service-type=exec"]
    command += [f"--property={each}" for each in [*asked.property, *output]]
    command += [
        sys.executable,
        "-B",
        __file__,
        "run",
        "--run",
        asked.run,
        "--step",
        asked.step,
        "--",
        *asked.command,
    ]
    started = subprocess.run(command, capture_output=True, text=True, check=False)
    if started.returncode != 0 and not _is_active(unit):
        raise Refused(f"systemd does not start {unit}: {started.stderr.strip()}")


def start(asked: argparse.Namespace) -> State:
    """The asking side, see the module: the answer that is printed."""
    unit = unit_name(asked.run, asked.step)
    folder = RUNS / asked.run
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, log = folder / f"{asked.step}.json", folder / f"{asked.step}.log"
    before: State = read(path) or {"unit": unit, "log": str(log), "attempts": [], "outcome": None}
    todo = decide(before, _is_active(unit))
    if todo == "start":
        _launch(unit, log, asked)
    until = time.monotonic() + asked.deadline
    while (active := _is_active(unit)) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    state: State = read(path) or before
    began_nothing = todo == "start" and len(state["attempts"]) == len(before["attempts"])
    words = complaint(unit, "lost" if began_nothing else result(state), state)
    if active:
        words = (
            f"waited {asked.deadline} s for the unit {unit}, which still works; run again with this run id"
        )
    changed = todo != "done" and bool((state["outcome"] or {}).get("changed"))
    return {**state, "changed": changed, "words": words, "log_tail": _tail(log) if words else []}


def run(asked: argparse.Namespace) -> int:
    """What the unit executes: the command, and its state around it."""
    unit = unit_name(asked.run, asked.step)
    folder = RUNS / asked.run
    path, outcome = folder / f"{asked.step}.json", folder / f"{asked.step}.outcome.json"
    before: State = read(path) or {"unit": unit, "log": str(folder / f"{asked.step}.log"), "attempts": []}
    attempt: dict[str, Any] = {"started": _now(), "ended": None, "rc": None}
    state = {**before, "attempts": [*before["attempts"], attempt], "outcome": read(outcome)}
    write(path, state)
    environment = {**os.environ, "AMC_RUN_FOLDER": str(folder), "AMC_OUTCOME": str(outcome)}
    code = subprocess.run(asked.command, env=environment, check=False).returncode
    attempt["ended"] = _now()
    attempt["rc"] = code if code >= 0 else 128 - code  # ended by a signal
    state["outcome"] = read(outcome)
    write(path, state)
    return int(attempt["rc"])


def main() -> int:
    """The command line of both sides."""
    words = argparse.ArgumentParser()
    words.add_argument("verb", choices=["start", "run"])
    words.add_argument("--run", required=True)
    words.add_argument("--step", required=True)
    words.add_argument("--deadline", type=int, default=3600, help="seconds to wait")
    words.add_argument("--property", action="append", default=[], help="of the unit, as in systemd-run")
    words.add_argument("command", nargs="+")
    asked = words.parse_args()
    if asked.verb == "run":
        return run(asked)
    try:
        answer = start(asked)
    except Refused as reason:
        answer = {"changed": False, "outcome": None, "words": str(reason), "log": "its log", "log_tail": []}
    print(json.dumps(answer))
    return 1 if answer["words"] else 0


if __name__ == "__main__":
    sys.exit(main())
