"""`scripts/up` killed at seeded random moments, each kill followed by a start that has to finish.

    .venv/bin/python bench/soak/up_kills.py [--kills 20] [--seed 1] [--fresh 5]

Every `--fresh`-th round begins without a lab, without a database and without secrets (the cached image
stays); the others meet what the round before left. A kill is SIGKILL to `scripts/up` and its whole process
group; the worker and a run under way live on, as they would. After each second start: exit code, runs that
a key made twice, holds that no living run owns, and servers that do not answer. Works in a temporary home,
taken down at the end.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
AMC = str(REPOSITORY / ".venv/bin/amc")
UP_DEADLINE_S = 1200


def up(environment: dict[str, str], log: Path, kill_after_s: float | None) -> int | None:
    """Starts scripts/up; its exit code, or None when it was killed."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["scripts/up"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return process.wait(kill_after_s if kill_after_s is not None else UP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def document(environment: dict[str, str], *words: str) -> Any:
    """What `amc WORDS --json` prints."""
    done = subprocess.run(
        [AMC, *words, "--json"], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def faults(environment: dict[str, str]) -> list[str]:
    """What must not be after a whole second start."""
    found = []
    runs = document(environment, "run", "list", "--customer", "acme", "--limit", "500")
    keys = Counter(run["key"] for run in runs)
    found += [f"key {key} ordered {count} times" for key, count in keys.items() if count > 1]
    found += [f"run {run['id']} is {run['state']}" for run in runs if run["state"] != "done"]
    held = document(environment, "hours", "balance", "--customer", "acme")["held"]
    if held:
        found.append(f"{held} s held by nobody")
    if subprocess.run([AMC, "lab", "ssh", "acme-erp1", "true"], env=environment, check=False).returncode:
        found.append("acme-erp1 does not answer")
    return found


def main() -> int:
    """Runs the rounds and prints a line for each; 1 when one was not fine."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fresh", type=int, default=5)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    base = Path(tempfile.mkdtemp(prefix="amc-up-kills-"))
    environment = {**os.environ, "AMC_HOME": str(base / "home")}
    log = base / "up.log"
    failed = killed = 0
    whole_s = {True: 240.0, False: 60.0}
    try:
        for number in range(2 * arguments.kills):  # a round that ends before its kill does not count
            if killed == arguments.kills:
                break
            fresh = number % arguments.fresh == 0
            if fresh:
                subprocess.run([AMC, "lab", "down"], env=environment, check=True, stdout=subprocess.DEVNULL)
                shutil.rmtree(base / "home", ignore_errors=True)
            moment = chance.uniform(0.2, 0.9 * whole_s[fresh])
            first = up(environment, log, moment)
            killed += first is None
            started = time.monotonic()
            code = up(environment, log, None)
            whole_s[fresh] = max(whole_s[fresh] if not fresh else 0, time.monotonic() - started)
            wrong = [f"second start ended with {code}"] if code else faults(environment)
            failed += bool(wrong)
            what = (
                f"killed at {moment:6.1f} s" if first is None else f"ended before {moment:.1f} s with {first}"
            )
            print(
                f"{number + 1:3d} {'fresh' if fresh else 'again'} {what}; second start "
                f"{time.monotonic() - started:5.1f} s: {'; '.join(wrong) or 'fine'}",
                flush=True,
            )
    finally:
        subprocess.run([AMC, "lab", "down"], env=environment, check=False)
        if not failed:
            shutil.rmtree(base, ignore_errors=True)
    print(f"kills {killed}, second starts that failed {failed}" + (f"; log {log}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
