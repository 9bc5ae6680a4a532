"""A recovery, the part of the server that is recovered. Run as root.

    recover.py open --run RUN --stop all|mems|nothing [--what KIND,… --key K --from A --port N --seconds N]
        users out and stopped what has to be, also for a reboot; the backup server's way in for what is copied
    recover.py close --run RUN                        that way in
    recover.py place --run RUN [--drill] --deadline N < PLAN
        closes it, and puts in place what was copied, in a unit that outlives the connection
    recover.py release --run RUN --seconds N          M EMS runs again, and answers
    recover.py report --run RUN < FACTS               writes recover.json

Each can be asked again, and prints one JSON document with `changed`; {"problem": words} and exit code 1 else.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import door
import here
import place
import report

STEP = "/usr/local/lib/amc/step.py"


def halt(run_id: str, database: bool) -> here.Record:
    """Users out; `stopped_at` is where the database ended, when it was stopped in order.

    Masked, so that neither a boot nor a request at a socket starts M EMS on half a recovery.
    """
    path = here.RUNS / run_id / "recover-halt.json"
    if there := here.read_json(path):
        return {**there, "changed": False}
    here.run("systemctl", "mask", "--now", *here.mems_units(), seconds=300)
    found: here.Record = {"at": here.now(), "stopped_at": None}
    if database:
        place.stop_database()
        control = here.controldata()
        found["timeline"] = int(control.get("Latest checkpoint's TimeLineID", 0))
        if control.get("Database cluster state", "").startswith("shut down"):
            found["stopped_at"] = control["Latest checkpoint location"]
        here.write_json(path, found)
    return {**found, "changed": True}


def open_(asked: argparse.Namespace) -> here.Record:
    """See the module. A run that has begun to put things in place needs nothing copied any more."""
    answer = {"changed": False} if asked.stop == "nothing" else halt(asked.run, asked.stop == "all")
    placing = (here.RUNS / asked.run / "recover-phases.json").exists()
    if not asked.what or placing:
        return {**answer, "host_key": ""}
    guest = door.Guest(asked.key, asked.from_address, asked.port, asked.seconds)
    return {**answer, **door.open_door(asked.run, asked.what.split(","), guest)}


def close(asked: argparse.Namespace) -> here.Record:
    """See the module."""
    return door.close(asked.run)


def place_(asked: argparse.Namespace) -> here.Record:
    """See the module."""
    door.close(asked.run)
    here.write_json(here.RUNS / asked.run / "recover-plan.json", json.load(sys.stdin))
    step = [sys.executable, "-B", STEP, "start", f"--run={asked.run}", "--step=recover-place"]
    program = [sys.executable, "-B", place.__file__, asked.run, "drill" if asked.drill else "real"]
    done = subprocess.run(
        [*step, f"--deadline={asked.deadline}", "--", *program],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    state: here.Record = json.loads(done.stdout)
    if not state["words"]:
        return state
    problem = (state["outcome"] or {}).get("problem") or "\n".join([state["words"], *state["log_tail"]])
    return {**state, "problem": problem}


def release(asked: argparse.Namespace) -> here.Record:
    """See the module."""
    masked = [unit for unit in here.mems_units() if is_masked(unit)]
    if masked:
        here.run("systemctl", "unmask", *masked)
    units = here.live_units()
    stopped = [unit for unit in units if here.state_of(unit) != "active"]
    if stopped:
        here.run("systemctl", "start", *stopped, seconds=300)
    check = answered(asked.seconds)
    if not check.get("ok"):
        return {"changed": True, "problem": f"M EMS does not work after the recovery: {check.get('words')}"}
    note = here.RUNS / asked.run / "recover-answered.json"
    if not note.exists():
        here.write_json(note, {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "check": check})
    return {"changed": bool(masked or stopped)}


def told(asked: argparse.Namespace) -> here.Record:
    """See the module."""
    return report.keep(asked.run, json.load(sys.stdin))


def is_masked(unit: str) -> bool:
    """Whether systemd was told not to start it."""
    return here.run("systemctl", "show", "-P", "LoadState", unit).strip() == "masked"


def answered(seconds: float) -> here.Record:
    """What M EMS's own check says, asked until it is content or the time is over."""
    until = time.monotonic() + seconds
    while True:
        done = subprocess.run(
            ["/usr/local/lib/mems/check"], capture_output=True, text=True, check=False, timeout=120
        )
        try:
            answer: here.Record = json.loads(done.stdout)
        except ValueError:
            answer = {"ok": False, "words": done.stderr.strip()}
        if answer["ok"] or time.monotonic() > until:
            return answer
        time.sleep(0.2)


def main() -> int:
    """The command line."""
    words = argparse.ArgumentParser()
    verbs = {"open": open_, "close": close, "place": place_, "release": release, "report": told}
    words.add_argument("verb", choices=list(verbs))
    words.add_argument("--run", required=True)
    words.add_argument("--stop", choices=["all", "mems", "nothing"], default="nothing")
    words.add_argument("--what", default="", help="data, wal, files; without, the way in stays shut")
    words.add_argument("--key", default="")
    words.add_argument("--from", dest="from_address", default="")
    words.add_argument("--port", type=int, default=2222)
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--deadline", type=int, default=3600)
    words.add_argument("--drill", action="store_true")
    asked = words.parse_args()
    os.umask(0o022)  # a hardened server's would shut the way in's own user out of its folder
    try:
        answer = verbs[asked.verb](asked)
    except (here.Trouble, OSError) as trouble:
        answer = {"changed": False, "problem": str(trouble)}
    print(json.dumps(answer))
    return 1 if "problem" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
