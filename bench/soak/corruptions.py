"""Twelve corruptions of one pair's backups, each spoiled, verified, mended and verified again.

    python bench/soak/corruptions.py [--seed 4] [--only WORD] [--home FOLDER]

In a seeded order (the lost slot last: its mend begins a new chain). Prints a line for each: found or not, in
how many seconds, in which words. Exit code 1 when one was not found, or was still found after its mend.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from lab import Lab
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/servers/protection"))

from backed_up import Pair
from corruptions import CORRUPTIONS, found


def main() -> int:
    """Do them all and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--only", default="", help="those whose name has this word")
    parser.add_argument("--home", type=Path, help="default: a temporary folder")
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="corruptions-"))
    lab = Lab(home / "lab", settings.read().cache)
    todo = [each for each in CORRUPTIONS[:-1] if chosen.only in each.name]
    random.Random(chosen.seed).shuffle(todo)
    todo += [each for each in CORRUPTIONS[-1:] if chosen.only in each.name]
    failed = 0
    try:
        pair = Pair(lab, home).start()
        pair.timers("stop")
        assert pair.program("mark")["ok"]
        for corruption in todo:
            started = time.monotonic()
            try:
                words = found(pair, corruption)[0]
                verdict = "found"
            except AssertionError as error:
                words, verdict, failed = str(error), "FAILED", failed + 1
            how = "--full" if corruption.full else "nightly"
            print(
                f"{verdict:6} {time.monotonic() - started:5.1f} s  {how:7}  {corruption.name}: {words}",
                flush=True,
            )
    finally:
        lab.down()
    print(f"{len(todo) - failed} of {len(todo)} found before they were needed; seed {chosen.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
