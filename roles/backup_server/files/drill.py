"""A drill, the backup server's part: which moment is to come back, and whether what came back is it.

    drill.py begin --server S --name DRILL --run RUN [--moment newest|random] [--seed N] [--look]
    drill.py conclude --server S --name DRILL < SEEN

`begin` chooses one of the marks, moments whose business figures are known: the newest is made now where M EMS
can be asked; a random one is drawn with the seed. It measures how long a change takes to be safe here (RPO),
and notes the name of the throw-away server until `conclude` hears that it is gone: `left` are those of drills
that were killed, to be destroyed. With --look it notes, makes and measures nothing.
`conclude` compares, appends the report to drills.jsonl, and writes proven.json when everything was equal.
Each prints one JSON document, and exits 0: what is wrong stands in it. See drill_judge.py for both documents.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import drill_judge
import mark as marks
import pair as pairs
import restore_wal
import wal

ARRIVAL_SECONDS = 60
PLAN_SECONDS = 600
TRIES = 10
PROVEN = ("at", "run", "backup_id", "backup_ended", "moment", "rpo_seconds", "rto_seconds", "figures_equal")


def begin(pair: pairs.Pair, asked: argparse.Namespace) -> pairs.Record:
    """See the module: what was chosen, or `refused`; `left` in any case."""
    notes = pair.folder / "drills"
    left = sorted(path.stem for path in notes.glob("drill-*.json"))
    if asked.look:
        return {"left": left, **choose(pair, asked.moment, asked.seed)}
    notes.mkdir(mode=0o700, exist_ok=True)
    # Before there is a server, so that none can be forgotten.
    pairs.write_json(notes / f"{asked.name}.json", {"run": asked.run, "began": pairs.now()})
    rpo, words = at_risk(pair)
    chosen = {**choose(pair, asked.moment, asked.seed), "rpo_seconds": rpo, "words": words}
    pairs.write_json(notes / f"{asked.name}.json", {"run": asked.run, "began": pairs.now(), **chosen})
    return {"left": left, **chosen}


def at_risk(pair: pairs.Pair) -> tuple[float | None, list[str]]:
    """Make a mark, then measure for how many seconds a change is not safe here; None where it can't be."""
    try:
        marks.mark(pair)
        words = []
    except pairs.Trouble as trouble:
        words = [f"No mark could be made now, so there is none of this moment: {trouble}"]
    name = f"amc-drill-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    began = time.monotonic()
    try:
        lsn = pairs.query(pair, f"SELECT pg_create_restore_point('{name}')")
    except pairs.Trouble as trouble:
        return None, [*words, f"How long a change takes to be safe is not known: {trouble}"]
    while time.monotonic() - began < ARRIVAL_SECONDS:
        if arrived(pair, name, wal.position(lsn)):
            return round(time.monotonic() - began, 3), words
        time.sleep(0.1)
    late = f"{drill_judge.NOT_SAFE}: a change made now did not arrive here within {ARRIVAL_SECONDS} s"
    return None, [*words, late]


def arrived(pair: pairs.Pair, restore_point: str, position: int) -> bool:
    """Whether the WAL here holds the restore point that ends at the position, on whichever timeline.

    The highest one is not the current one after a recovery's set-aside state was put back.
    """
    store = restore_wal.Store(pair.catalogue, pair.folder / "ends")
    number = (position - 1) // store.segment_bytes
    pieces = [piece for piece in sorted(store.segments().items()) if piece[0].number in (number, number - 1)]
    for timeline in sorted({segment.timeline for segment, _ in pieces}, reverse=True):
        way = [piece for piece in pieces if piece[0].timeline == timeline]
        try:
            if any(restore_point in line for line in store.dump(way, pair.folder / "drills/wal")):
                return True
        except (FileNotFoundError, IndexError):  # renamed in this moment, or nothing here yet
            continue
    return False


def choose(pair: pairs.Pair, moment: str, seed: int) -> pairs.Record:
    """{"kind", "seed", "mark", "backup"} of the first mark in the order asked that there is a way to."""
    order = sorted(
        pairs.read_lines(pair.folder / "marks.jsonl"), key=lambda mark: str(mark["at"]), reverse=True
    )
    if moment == "random":
        order = random.Random(seed).sample(order, len(order))
    why = "no mark was ever made"
    for mark in order[:TRIES]:
        plan = plan_for(pair, mark["restore_point"])
        if "refused" not in plan:
            drawn = seed if moment == "random" else None
            return {"kind": moment, "seed": drawn, "mark": mark, "backup": plan["candidates"][0]}
        why = plan["refused"]
    return {"refused": f"no moment of {pair.server} with known figures can be recovered: {why}"}


def plan_for(pair: pairs.Pair, restore_point: str) -> pairs.Record:
    """What a recovery to the mark would take, or {"refused": why there is no way to it}."""
    command = [sys.executable, "-B", str(pairs.PROGRAMS / "restore.py"), "plan"]
    command += ["--server", pair.server, "--mark", restore_point]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PLAN_SECONDS)
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        return {"refused": done.stderr.strip()[-300:]}


def conclude(pair: pairs.Pair, asked: argparse.Namespace, seen: pairs.Record) -> pairs.Record:
    """See the module; the report."""
    notes = pair.folder / "drills"
    note = pairs.read_json(notes / f"{asked.name}.json") or {}
    report = drill_judge.report(pair.server, note, seen, pairs.now())
    pairs.append_line(pair.folder / "drills.jsonl", report)
    if report["ok"]:
        prove(pair.folder / "proven.json", report)
    for name in seen["gone"]:
        (notes / f"{name}.json").unlink(missing_ok=True)
    return report


def prove(path: Path, report: pairs.Record) -> None:
    """Write what a good drill has proven, unless a younger backup is proven already."""
    there = pairs.read_json(path)
    if there and datetime.fromisoformat(there["backup_ended"]) > datetime.fromisoformat(
        report["backup_ended"]
    ):
        return
    pairs.write_json(path, {name: report[name] for name in PROVEN})


def main() -> int:
    """The command line."""
    words = argparse.ArgumentParser()
    words.add_argument("verb", choices=["begin", "conclude"])
    words.add_argument("--server", required=True)
    words.add_argument("--name", required=True)
    words.add_argument("--run", default="")
    words.add_argument("--moment", choices=["newest", "random"], default="newest")
    words.add_argument("--seed", type=int, default=0)
    words.add_argument("--look", action="store_true")
    asked = words.parse_args()
    pairs.as_barman()
    seen = json.load(sys.stdin) if asked.verb == "conclude" else {}
    try:
        pair = pairs.read(asked.server)
        answer = begin(pair, asked) if asked.verb == "begin" else conclude(pair, asked, seen)
    except pairs.Trouble as trouble:
        answer = {"left": [], "refused": str(trouble)}
        if seen:
            answer = drill_judge.report(asked.server, {"refused": str(trouble)}, seen, pairs.now())
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
