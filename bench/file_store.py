"""How long the minute's pull of a large file store takes, when nothing changed and when something did.

    python bench/file_store.py [--files 100000] [--bytes 1000] [--runs 5] [--home FOLDER]

On a pair in a lab of its own. Prints seconds of the first pull, and median and spread of `runs` pulls that
bring nothing, and of `runs` that bring ten new files, as files.py reports them.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from lab import Lab
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/servers/protection"))

from backed_up import MEMS, Pair

STORE = "/srv/mems/files/mems/bench"
MAKE = """
python3 - <<'EOF'
import os
for number in range({count}):
    folder = "{store}/%02x/%02x" % (number % 256, number // 256 % 256)
    os.makedirs(folder, exist_ok=True)
    with open(f"{{folder}}/{name}-{{number}}", "wb") as file:
        file.write(os.urandom({size}))
EOF
"""


def add(pair: Pair, name: str, count: int, size: int) -> None:
    """So many new files of random contents in the store."""
    pair.root(MEMS, MAKE.format(store=STORE, name=name, count=count, size=size), seconds=600)


def pull(pair: Pair) -> float:
    """Seconds of one pull and its snapshot."""
    answer = pair.program("files")
    assert answer["ok"], answer
    return float(answer["seconds"])


def line(what: str, seconds: list[float]) -> str:
    """Median and spread."""
    spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
    return f"{what:32} {statistics.median(seconds):6.1f} s  ({spread}, {len(seconds)} runs)"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=1000, help="of each file")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--home", type=Path, help="default: a temporary folder")
    chosen = parser.parse_args()
    home = chosen.home or Path(tempfile.mkdtemp(prefix="file-store-"))
    lab = Lab(home / "lab", settings.read().cache)
    try:
        pair = Pair(lab, home).start()
        pair.timers("stop")
        add(pair, "first", chosen.files, chosen.bytes)
        print(line(f"first pull of {chosen.files} files", [pull(pair)]), flush=True)
        print(line("nothing changed", [pull(pair) for _ in range(chosen.runs)]), flush=True)
        changed = []
        for run in range(chosen.runs):
            add(pair, f"new{run}", 10, chosen.bytes)
            changed.append(pull(pair))
        print(line("ten new files", changed), flush=True)
    finally:
        lab.down()


if __name__ == "__main__":
    main()
