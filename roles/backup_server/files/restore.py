"""A recovery, the backup server's part: what is to come back, and sending it.

    restore.py plan --server S WHAT
    restore.py send --server S --run RUN WHAT --hold yes|no --address A --port N --host-key KEY
    restore.py done --server S --run RUN --seconds N
    WHAT: [--to TIME | --mark NAME] [--only database|files|attachment] [--attachment PATH]

`plan` only reads, and prints the plan. `send`, as root in a unit, holds S back if it is to (restore_hold.py),
fixes the plan for this run, and copies what it says through the way in that the other server opened; asked
again it goes on. `done` forgets what was kept for the run. Each prints one JSON document, {"refused": words}
when there is no way; exit 0 or 1.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pair as pairs
import restore_choice as choice
import restore_hold
import restore_plan
import restore_send


def plan(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module."""
    return restore_plan.make(pair, asked)


def send(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module; the plan is in the answer. Without a host key everything was copied before."""
    fixed = restore_plan.fix(pair, asked)
    way = restore_send.Way(pair, asked.run, asked.address, asked.port, asked.host_key)
    path = way.folder / "sent.json"
    if asked.host_key:
        pairs.write_json(path, restore_send.send(pair, way))
    return {"plan": fixed, **(pairs.read_json(path) or {})}


def done(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module."""
    folder = restore_plan.folder_of(pair, asked.run)
    kept = pairs.read_json(folder / "plan.json")
    if kept is None:
        return {"changed": False}
    record = {"run": asked.run, "only": kept["only"], "at": pairs.now(), "seconds": asked.seconds}
    pairs.append_line(
        pair.folder / "recovery_times.jsonl", {**record, "bytes": sum(kept.get("bytes", {}).values())}
    )
    shutil.rmtree(folder)
    return {"changed": True}


def as_root(asked: argparse.Namespace) -> int:
    """Hold the server back, and send as barman; the answer goes to root's file for step.py, too."""
    answer: pairs.Record = {}
    code = 1
    try:
        if asked.hold == "yes":
            restore_hold.hold(pairs.read(asked.server), asked)
        again = ["/usr/sbin/runuser", "-u", "barman", "--", sys.executable, "-B", *sys.argv]
        done = subprocess.run(
            again, stdout=subprocess.PIPE, text=True, check=False, stdin=subprocess.DEVNULL, cwd="/"
        )
        code, answer = done.returncode, json.loads(done.stdout) if done.stdout else {}
    except pairs.Trouble as trouble:
        answer = {"refused": str(trouble)}
    if "AMC_OUTCOME" in os.environ:
        pairs.write_json(Path(os.environ["AMC_OUTCOME"]), {"changed": True, **answer})
    print(json.dumps(answer))
    return code


def main() -> int:
    """The command line."""
    words = argparse.ArgumentParser()
    verbs = words.add_subparsers(dest="verb", required=True)
    of = {each.__name__: verbs.add_parser(each.__name__) for each in (plan, send, done)}
    for parser in of.values():
        parser.add_argument("--server", required=True)
        parser.add_argument("--run", required=parser is not of["plan"], default="")
    for parser in (of["plan"], of["send"]):
        parser.add_argument("--to", default="")
        parser.add_argument("--mark", default="")
        parser.add_argument("--only", default="", choices=["", "database", "files", "attachment"])
        parser.add_argument("--attachment", default="")
    of["send"].add_argument("--hold", choices=["yes", "no"], required=True)
    of["send"].add_argument("--address", required=True)
    of["send"].add_argument("--port", type=int, required=True)
    of["send"].add_argument("--host-key", required=True)
    of["done"].add_argument("--seconds", type=float, required=True)
    asked = words.parse_args()
    if asked.verb == "send" and os.geteuid() == 0:
        return as_root(asked)
    pairs.as_barman()
    try:
        answer = {"plan": plan, "send": send, "done": done}[asked.verb](pairs.read(asked.server), asked)
    except (pairs.Trouble, choice.NoChoice) as trouble:
        print(json.dumps({"refused": str(trouble)}))
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
