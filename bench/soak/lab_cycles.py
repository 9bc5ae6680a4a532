"""Lab cycles: `up` and `down`, some of them killed half-way, and a count of what each leaves on the machine.

    python bench/soak/lab_cycles.py [--cycles 30] [--killed 10] [--servers 2] [--seed 3] [--home FOLDER]

In a killed cycle the process that does `up` or `down` gets SIGKILL at a seeded moment; then `down` runs once.
Exit code 1 when any cycle left anything: processes, mounts, links, cgroups, nft tables, folders in /run,
files.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from lab import Lab, leftovers
from orchestrator import settings

WORK = """
import sys
from pathlib import Path
from lab import Lab
lab = Lab(Path(sys.argv[1]), Path(sys.argv[2]))
lab.down() if sys.argv[3] == "down" else lab.up(sys.argv[4:])
"""


def left(lab: Lab) -> Counter[str]:
    """What is left of the lab, its files counted too."""
    counts = leftovers(lab.names.lab)
    counts["files"] = sum(1 for _ in lab.home.rglob("*")) if lab.home.exists() else 0
    return +counts


def do(lab: Lab, verb: str, names: list[str], kill_after: float | None) -> bool:
    """Run `verb` in a process of its own; True when `kill_after` (seconds) came before its end."""
    worker = subprocess.Popen([sys.executable, "-c", WORK, lab.home, lab.cache, verb, *names])
    try:
        code = worker.wait(kill_after if kill_after is not None else 300)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
        return True
    if code != 0:
        raise SystemExit(f"{verb} ended with {code}")
    return False


def main() -> int:
    """Run the cycles and print a line for each, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=30)
    parser.add_argument("--killed", type=int, default=10)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--home", type=Path, help="default: a temporary folder")
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="lab-cycles-"))
    lab = Lab(home / "lab", settings.read().cache)
    names = [f"s{number}" for number in range(chosen.servers)]
    dice = random.Random(chosen.seed)
    killed_cycles = set(dice.sample(range(chosen.cycles), chosen.killed))
    total: Counter[str] = Counter()
    kills = 0
    for cycle in range(chosen.cycles):
        started = time.monotonic()
        moment: tuple[str, float] | None = None
        if cycle in killed_cycles:
            verb = dice.choice(["up", "up", "up", "down"])
            moment = (verb, dice.uniform(0.1, 4.0 if verb == "up" else 0.8))
        half = Counter[str]()
        up_killed = do(lab, "up", names, moment[1] if moment and moment[0] == "up" else None)
        down_killed = not up_killed and do(
            lab, "down", [], moment[1] if moment and moment[0] == "down" else None
        )
        if up_killed or down_killed:
            kills += 1
            half = left(lab)
            do(lab, "down", [], None)
        after = left(lab)
        total += after
        words = f"killed in {moment[0]} after {moment[1]:.2f} s, then {dict(half)}" if half else "whole"
        print(
            f"cycle {cycle + 1:2}: {time.monotonic() - started:4.1f} s, {words}; left: {dict(after)}",
            flush=True,
        )
    print(
        f"{chosen.cycles} cycles of {chosen.servers} servers, {kills} killed half-way; "
        f"left: {dict(total) or 'nothing'}"
    )
    if not chosen.home:
        home.rmdir()
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
