"""A recovery, the backup server's part that needs no root: what is to come back, and sending it.

    restore.py plan --server S [--run RUN] [--to TIME | --mark NAME] [--only database|files|attachment]
                    [--attachment PATH] [--fix]
    restore.py send --server S --run RUN --address A --port N --host-key KEY
    restore.py done --server S --run RUN --seconds N

`plan` only reads, and prints the plan; with --fix it is what this run keeps to. `send` copies what the plan
says through the way in that the other server opened for this run; asked again it goes on. `done` forgets what
was kept for the run. Each prints one JSON document, {"refused": words} when there is no way; exit 0 or 1.
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
import restore_plan
import restore_send


def plan(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module."""
    return restore_plan.fix(pair, asked) if asked.fix else restore_plan.make(pair, asked)


def send(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module."""
    way = restore_send.Way(pair, asked.run, asked.address, asked.port, asked.host_key)
    return restore_send.send(pair, way)


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


def as_unit(outcome: Path) -> int:
    """The same by barman, its answer in root's file for step.py."""
    again = [sys.executable, "-B", *sys.argv]
    done = subprocess.run(again, stdout=subprocess.PIPE, text=True, check=False, stdin=subprocess.DEVNULL)
    answer = json.loads(done.stdout) if done.stdout else {}
    pairs.write_json(outcome, {"changed": True, **answer})
    return done.returncode


def main() -> int:
    """The command line."""
    words = argparse.ArgumentParser()
    verbs = words.add_subparsers(dest="verb", required=True)
    of = {each.__name__: verbs.add_parser(each.__name__) for each in (plan, send, done)}
    for parser in of.values():
        parser.add_argument("--server", required=True)
        parser.add_argument("--run", required=parser is not of["plan"], default="")
    of["plan"].add_argument("--to", default="")
    of["plan"].add_argument("--mark", default="")
    of["plan"].add_argument("--only", default="", choices=["", "database", "files", "attachment"])
    of["plan"].add_argument("--attachment", default="")
    of["plan"].add_argument("--fix", action="store_true")
    of["send"].add_argument("--address", required=True)
    of["send"].add_argument("--port", type=int, required=True)
    of["send"].add_argument("--host-key", required=True)
    of["done"].add_argument("--seconds", type=float, required=True)
    asked = words.parse_args()
    if "AMC_OUTCOME" in os.environ:
        return as_unit(Path(os.environ.pop("AMC_OUTCOME")))
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
