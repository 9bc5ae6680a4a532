"""A recovery, the part of the server that is recovered. Run as root.

    recover.py halt --run RUN [--keep-database] users out, M EMS and PostgreSQL stopped, also for a reboot
    recover.py open --run RUN --what KIND,… --key KEY --from ADDRESS --port N --seconds N
    recover.py close --run RUN                 the backup server's way in
    recover.py release --run RUN --seconds N   M EMS runs again, and answers
    recover.py report --run RUN < FACTS        writes recover.json: the facts of both servers

Each can be asked again, and prints one JSON document with `changed`; {"problem": words} and exit code 1 else.
"""

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC, datetime

import door
import here
import place
import report


def halt(asked: argparse.Namespace) -> here.Record:
    """See the module; `stopped_at` is where the database ended when it was stopped in order.

    Masked, so that neither a boot nor a request at a socket starts M EMS on half a recovery.
    """
    path = here.RUNS / asked.run / "recover-halt.json"
    if there := here.read_json(path):
        return {**there, "changed": False}
    here.run("systemctl", "mask", "--now", *here.mems_units(), seconds=300)
    if asked.keep_database:
        return {"changed": True, "stopped_at": None}
    place.stop_database()
    control = here.controldata()
    in_order = control.get("Database cluster state", "").startswith("shut down")
    found = {
        "stopped_at": control["Latest checkpoint location"] if in_order else None,
        "timeline": int(control.get("Latest checkpoint's TimeLineID", 0)),
        "at": here.now(),
    }
    here.write_json(path, found)
    return {**found, "changed": True}


def open_(asked: argparse.Namespace) -> here.Record:
    """See the module."""
    guest = door.Guest(asked.key, asked.from_address, asked.port, asked.seconds)
    return door.open_door(asked.run, asked.what.split(","), guest)


def close(asked: argparse.Namespace) -> here.Record:
    """See the module."""
    return door.close(asked.run)


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
    verbs = {"halt": halt, "open": open_, "close": close, "release": release, "report": told}
    words.add_argument("verb", choices=list(verbs))
    words.add_argument("--run", required=True)
    words.add_argument("--keep-database", action="store_true")
    words.add_argument("--what", default="data,wal,files")
    words.add_argument("--key", default="")
    words.add_argument("--from", dest="from_address", default="")
    words.add_argument("--port", type=int, default=2222)
    words.add_argument("--seconds", type=int, default=60)
    asked = words.parse_args()
    try:
        answer = verbs[asked.verb](asked)
    except (here.Trouble, OSError) as trouble:
        answer = {"changed": False, "problem": str(trouble)}
    print(json.dumps(answer))
    return 1 if "problem" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
