"""A resize is killed at a random point: does it go on or go back, and do state and server agree afterwards?

    python bench/soak/resize_kills.py [--kills 20] [--seed 1] [--home FOLDER]

Each time a small lab server is to get two CPUs, or the large one half a CPU, by turns live and with a stop.
At a random moment everything of the run is killed (worker, playbook, engine, provider), or the engine and
its provider alone, once they are there; then a worker ends the run. Afterwards the server must run with the
old or the new specification as the run says (a run that is `unknown` has changed nothing), M EMS must
answer, no lock may be left, and a new plan for what the run says must find nothing to do. Prints a line
each; exit code 1 when one of it was not so.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lab import Lab
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/servers/resize"))

from grown import LARGE, SMALL, Installation, install

CPUS = {SMALL: 1, LARGE: 2}
LONGEST_SECONDS = {False: 14.0, True: 30.0}
"""What a resize takes, live and with a stop: the moments are drawn from it."""
DEAD = ("interrupted", "unattended")
ENGINE_SECONDS = 4.0
"""As long its processes live at least, from the first one on."""
OF_THE_ENGINE = ("pulumi", "pulumi-resource-emslab")


def of_the_engine(made: Installation, run: str) -> list[int]:
    """The processes of Pulumi and its provider."""
    found = []
    for pid in made.processes(run):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if any(Path(word.decode()).name in OF_THE_ENGINE for word in command[:2]):
                found.append(pid)
    return found


def kill_the_engine(made: Installation, run: str) -> list[int]:
    """Only Pulumi and its provider."""
    killed = of_the_engine(made, run)
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return killed


def one(made: Installation, chance: random.Random, stops: bool, to: str) -> bool:
    """One resize, one kill; whether all was well at the end."""
    made.variables(server_stop_to_resize=stops)
    everything = chance.random() < 0.6
    moment = chance.uniform(0.5, LONGEST_SECONDS[stops] if everything else ENGINE_SECONDS)
    ordered = made.json(*made.order("--spec", to, "--approve", "a soak"))
    while not everything and not of_the_engine(made, ordered["id"]):
        time.sleep(0.05)
    time.sleep(moment)
    killed = made.kill(ordered["id"]) if everything else kill_the_engine(made, ordered["id"])
    run = _ended(made, ordered["id"])
    wrong = _wrong(made, run["state"], to)
    what = "everything" if everything else "the engine"
    how = "with a stop" if stops else "live       "
    print(
        f"{'WRONG' if wrong else 'ok   '}  {how} to {to}, {what} killed after {moment:4.1f} s",
        f"({len(killed)} processes): {run['state']}, attempts {len(run['attempts'])}",
        f"{'; '.join(wrong)} {run['words'] if wrong else ''}".strip(),
        flush=True,
    )
    return not wrong


def _ended(made: Installation, run: str) -> Any:
    """The run at its end: by the worker that lives, else by a new one."""
    deadline = time.monotonic() + 600
    while (found := made.json("run", "show", run))["state"] in ("queued", "running", *DEAD):
        if time.monotonic() > deadline:
            return found
        if found["state"] in DEAD or (found["state"] == "queued" and found["next"]):
            made.amc("worker", "--until-idle", deadline_s=600)
        time.sleep(1)
    return found


def _wrong(made: Installation, state: str, to: str) -> list[str]:
    if state not in ("done", "rolled-back", "unknown"):
        return [f"the run is {state}"]
    found = []
    # Unknown: killed before it could say that it was there, so nothing was begun, and a person orders again.
    spec = to if state == "done" else next(each for each in CPUS if each != to)
    if (cpus := made.inside()["cpus"]) != CPUS[spec]:
        found.append(f"{cpus} CPUs")
    if made.ssh("/usr/local/lib/mems/check").returncode:
        found.append("M EMS does not answer")
    if locks := list(made.home.glob("pulumi/**/locks/**/*.json")):
        found.append(f"locks: {locks}")
    try:
        made.amc(*made.order("--spec", spec))
    except AssertionError as other:
        found.append(f"not nothing is to be done: {other}")
    return found


def main() -> int:
    """Kill; the lab is taken down whatever happens."""
    words = argparse.ArgumentParser()
    words.add_argument("--kills", type=int, default=20)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--home", type=Path)
    asked = words.parse_args()
    chance = random.Random(asked.seed)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="amc-kills-") as folder:
        home = asked.home or Path(folder)
        lab = Lab(home / "lab", settings.read().cache)
        try:
            made = install(home)
            made.resize("--spec", LARGE)  # from then on the engine knows the server
            for number in range(asked.kills):
                to = LARGE if made.inside()["cpus"] == CPUS[SMALL] else SMALL
                bad += not one(made, chance, stops=number % 2 == 1, to=to)
        finally:
            lab.down()
    print(f"{asked.kills} kills, {bad} with something wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
