"""How long the command line takes, beside the interpreter's own start, alternately in one run.

    .venv/bin/python bench/command_line.py [--runs 15]

Works in a temporary home. Prints median and range of each command's time, and its ratio to Python's start.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "amc --help": [str(BIN / "amc"), "--help"],
    "amc hours balance": [str(BIN / "amc"), "hours", "balance", "--customer", "acme"],
    "amc run list": [str(BIN / "amc"), "run", "list"],
    "amc contract check": [str(BIN / "amc"), "contract", "check"],
}


def main() -> None:
    """Prints one row per command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory(prefix="amc-bench-") as home:
        environment = {**os.environ, "AMC_HOME": f"{home}/home"}
        subprocess.run([str(BIN / "amc"), "init"], env=environment, check=True, stdout=subprocess.DEVNULL)
        for _ in range(runs):
            for name, command in COMMANDS.items():
                started = time.perf_counter()
                subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
                taken[name].append(time.perf_counter() - started)
    bare = statistics.median(taken["python -c pass"])
    print(f"{'command':20} {'median':>8} {'min':>8} {'max':>8}   to python's start ({runs} runs each)")
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{name:20} {middle:6.3f} s {min(seconds):6.3f} s {max(seconds):6.3f} s   {middle / bare:5.1f}")


if __name__ == "__main__":
    main()
