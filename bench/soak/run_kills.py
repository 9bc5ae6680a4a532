"""Runs are killed at random points of their lives: is any lost, doubled, or left half done?

    python bench/soak/run_kills.py [--kills 90] [--patches 10] [--orders 1000] [--seed 1]

--kills: an activity that takes no time of its own (a process without Ansible in it, tests/integration/runs/
crowd.py), by turns on SQLite and on PostgreSQL: the worker, the run's process, or both get SIGKILL at a
random moment; then one worker finishes. --patches: playbooks/patch.yml on a fresh lab server; there what
is killed may be the SSH connections, too. --orders: so many orders over two workers on PostgreSQL, of which
one is killed and replaced: queue, claim, settlement and takeover are real, the activity takes no time.

Afterwards each run must have an end, each attempt must have begun once and one at most have ended well, no
hold, process or unit may be left. A run that is `unknown` is counted apart. Prints a line each; exit code 1
when one of it was not so.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from lab import Lab
from orchestrator import settings
from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import reading
from orchestrator.ledger import reading as ledger
from orchestrator.runs import store
from orchestrator.runs.attempts import MARK
from orchestrator.runs.presence import living
from orchestrator.runs.processes import carrying

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/servers/resize"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests/integration"))

from conftest import postgresql_server
from grown import CUSTOMER, SERVER, WHY, Installation, install
from runs import crowd
from runs.conftest import House, build

REPOSITORY = Path(__file__).parents[2]
ENDS = ("done", "rolled-back", "failed", "unknown")
CUSTOMERS = 8
LONGEST_FAST_SECONDS = 6.0  # a worker's start, and a run that takes up to four seconds
LONGEST_PATCH_SECONDS = 45.0


class Count:
    """What was seen, and how much of it was wrong."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.wrong = 0

    def line(self, what: str, state: str, faults: list[str]) -> None:
        """Print and count one run."""
        self.states[str(state)] += 1
        self.wrong += bool(faults)
        print(f"{'WRONG' if faults else 'ok   '}  {what}: {state} {'; '.join(faults)}".rstrip(), flush=True)


def kill(pids: list[int]) -> None:
    """SIGKILL; one that is gone already is no fault."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def fast(house: House, chance: random.Random, number: int, count: Count) -> None:
    """One run, one kill, one worker that finishes."""
    (house.folder / "slow").write_text(f"{chance.uniform(0, 4):.2f}")
    run = crowd.order(house, f"customer{number % CUSTOMERS}", f"kill-{number}")
    worker = house.python(*crowd.fast_worker(house, "--until-idle"))
    what = chance.choice(["the worker", "the run's process", "both"])
    moment = chance.uniform(0, LONGEST_FAST_SECONDS)
    time.sleep(moment)
    victims = [] if what == "the run's process" else [worker.pid]
    kill(victims if what == "the worker" else [*victims, *(each.pid for each in carrying(MARK, run))])
    if worker.pid in victims:
        worker.wait()
    deadline = time.monotonic() + 120
    while house.standing(run) not in ENDS and time.monotonic() < deadline:
        house.python(*crowd.fast_worker(house, "--until-idle")).wait(timeout=120)
    shown = house.show(run)
    database = "SQLite    " if "sqlite" in house.settings.database_url else "PostgreSQL"
    said = f"{database} {what} killed after {moment:4.1f} s, attempts {len(shown['attempts'])}"
    count.line(said, shown["state"], _faults(house, run, shown))


def _faults(house: House, run: str, shown: dict[str, Any]) -> list[str]:
    found = []
    if shown["state"] not in ENDS:
        found.append("lost")
    marks = Counter(mark for mark in house.marks() if mark.startswith(f"{run} "))
    well = [each for each in shown["attempts"] if each.get("status") == "successful"]
    if any(times > 1 for times in marks.values()) or len(well) > 1:
        found.append(f"doubled: {dict(marks)}, {len(well)} ended well")
    if left := carrying(MARK, run):
        found.append(f"processes left: {left}")
    with reading(house.engine) as connection:
        customer = store.get(connection, run).customer
    posted = _postings(house, customer, run)
    if posted not in (["hold", "settle"], ["hold", "void"]):
        found.append(f"postings: {posted}")
    return found


def _postings(house: House, customer: str, run: str) -> list[str]:
    contract = read_customer(house.settings.inventories, customer)
    with reading(house.engine) as connection:
        return [str(line.posting.kind) for line in ledger.log(connection, contract) if run in line.key]


def patch(made: Installation, chance: random.Random, count: Count) -> None:
    """A real patch on a server with updates pending; what is killed is everything, or a part."""
    words = ("run", "start", "patch", "--customer", CUSTOMER, "--without-proven-backup", WHY)
    run = made.json(*words, "--now", "--why", "a soak")["id"]
    what = chance.choice(["everything", "the worker", "Ansible", "SSH"])
    moment = chance.uniform(0.5, LONGEST_PATCH_SECONDS)
    time.sleep(moment)
    kill(_victims(made, run, what))
    deadline = time.monotonic() + 900
    while (shown := made.json("run", "show", run))["state"] not in ENDS and time.monotonic() < deadline:
        # Refused while the worker lives that was not killed.
        again = [sys.executable, "-m", "orchestrator.cli.main", "worker", "--until-idle"]
        subprocess.run(again, env=made.environment, capture_output=True, timeout=900, check=False)
        time.sleep(1)
    count.line(f"patch, {what} killed after {moment:4.1f} s", shown["state"], _patch_faults(made, run, shown))


def _victims(made: Installation, run: str, what: str) -> list[int]:
    every = made.processes(run)
    of_run = [each.pid for each in carrying(MARK, run)]
    if what == "everything":
        return every
    if what == "the worker":
        return [pid for pid in every if pid not in of_run]
    if what == "Ansible":
        return of_run
    config = str(made.home / "lab/ssh_config").encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if Path(words[0].decode()).name == "ssh" and config in words:
                found.append(int(folder.name))
    return found


def _patch_faults(made: Installation, run: str, shown: dict[str, Any]) -> list[str]:
    found = [] if shown["state"] in ENDS else ["lost"]
    program = "import json, sys; print(json.dumps([json.load(open(f)) for f in sys.argv[1:]]))"
    steps = f"cd /var/lib/amc/runs/{run} 2>/dev/null && grep -l '\"attempts\"' *.json"
    printed = made.ssh(
        f"files=$({steps}) || exit 0; cd /var/lib/amc/runs/{run}; python3 -c '{program}' $files"
    )
    for step in json.loads(printed.stdout or "[]"):
        well = [each for each in step.get("attempts") or [] if each["rc"] == 0]
        if len(well) > 1:
            found.append(f"doubled: {step.get('unit')} ended well {len(well)} times")
    if units := made.on(
        f"systemctl list-units --all --plain --no-legend 'amc-{run}-*' | grep -w active || true"
    ):
        found.append(f"units left: {units}")
    lock = made.ssh("cat /run/amc/lock").stdout
    if shown["state"] == "done" and lock:
        found.append(f"the lock is left: {lock.strip()}")
    if left := carrying(MARK, run):
        found.append(f"processes left: {left}")
    if made.json("hours", "balance", "--customer", CUSTOMER)["held"]:
        found.append("a hold is left")
    if made.ssh("/usr/local/lib/mems/check").returncode:
        found.append("M EMS does not answer")
    return found


def crowded(house: House, chance: random.Random, orders: int, count: Count) -> None:
    """Orders over two workers, one of which is killed in the middle and another started."""
    (house.folder / "slow").unlink(missing_ok=True)
    before = len(house.marks())
    workers = [house.python(*crowd.fast_worker(house)) for _ in range(2)]
    house.until("two workers", lambda: len(living(house.settings)) == 2)
    began = time.monotonic()
    runs = [crowd.order(house, f"customer{n % CUSTOMERS}", f"many-{n}", check=True) for n in range(orders)]
    ordered = time.monotonic() - began
    doomed = before + chance.randrange(orders // 4, orders // 2)
    _until(lambda: len(house.marks()) >= doomed, 3600)
    workers[chance.randrange(2)].kill()
    house.python(*crowd.fast_worker(house))
    _until(lambda: not store.open_runs(house.engine), 3600)
    took = time.monotonic() - began
    marks, known = Counter(house.marks()[before:]), set(runs)
    with reading(house.engine) as connection:
        states = Counter(str(each.state) for each in store.listing(connection) if each.id in known)
    once = marks == Counter(f"{run} 1" for run in runs)
    faults = [] if once and states == Counter(done=orders) else [f"{dict(states)}, each once: {once}"]
    count.line(f"{orders} orders (placed in {ordered:.0f} s) done in {took:.0f} s", "done", faults)


def _until(met: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not met() and time.monotonic() < deadline:
        time.sleep(0.2)


@contextlib.contextmanager
def house_on(folder: Path, database_url: str) -> Iterator[House]:
    """A house with many customers; `database_url` empty: a file."""
    folder.mkdir()
    house = build(folder, **({"AMC_DATABASE_URL": database_url} if database_url else {}))
    crowd.settle_in(house, CUSTOMERS)
    try:
        yield house
    finally:
        house.close()


def on_servers(home: Path, patches: int, chance: random.Random, count: Count) -> None:
    """Patches of a fresh server each; the lab is taken down whatever happens."""
    lab = Lab(home / "lab", settings.read().cache)
    try:
        made = install(home)
        program = [sys.executable, REPOSITORY / "molecule/lab/mems_layer.py"]
        layer = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        for number in range(patches):
            if number:
                made.amc("lab", "destroy", SERVER)
                made.amc("lab", "up", "--customer", CUSTOMER, "--layer", layer)
                _until(lambda: made.ssh("/usr/local/lib/mems/check").returncode == 0, 90)
            patch(made, chance, count)
    finally:
        lab.down()


def main() -> int:
    """Kill; everything that was started is ended."""
    words = argparse.ArgumentParser()
    words.add_argument("--kills", type=int, default=90)
    words.add_argument("--patches", type=int, default=10)
    words.add_argument("--orders", type=int, default=1000)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    chance, count = random.Random(asked.seed), Count()
    with tempfile.TemporaryDirectory(prefix="amc-kills-") as name, postgresql_server() as server:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE kills")
        with (
            house_on(Path(name, "file"), "") as file,
            house_on(Path(name, "server"), f"{server}/kills") as shared,
        ):
            for number in range(asked.kills):
                fast([file, shared][number % 2], chance, number, count)
            if asked.orders:
                crowded(shared, chance, asked.orders, count)
        if asked.patches:
            on_servers(Path(name, "lab"), asked.patches, chance, count)
    print(f"{dict(count.states)}; {count.wrong} with something wrong")
    return 1 if count.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
