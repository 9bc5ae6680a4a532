"""How a server under more load than it can carry gets room, and what users notice of it.

    python bench/resize.py [--repeats 5] [--stops 3] [--home FOLDER]

A lab server of half a CPU is asked by eight users at once for what it can carry. Calls at 1.3 times that rate
are measured and added to a backfilled history, from which `amc size recommend` must name two CPUs. Then,
--repeats times: calls at that rate, the resize is ordered and approved under way, the load goes on, and the
server is made small again. A worker is at work, as in production; worker and playbook run at nice -10, since
in production the controller shares no processor with the servers and their users. Prints for each: failed
calls (aim: 0), seconds from the approval until every later second has p95 <= 300 ms (aim: <= 30), and p95
then. After that --stops times with a stop, as EC2 does it: the downtime that users saw beside the predicted
one (aim: <= 1.2 times), figures compared.
Exit code 1 when an aim is missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from lab import Lab
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/servers/resize"))

from grown import CUSTOMER, LARGE, SERVER, SMALL, Installation, install
from load import QUERY, user
from recommended import Counters, recommended

CLIENTS, CLOSED_SECONDS, LOADED_SECONDS = 8, 10, 12
OVERLOAD = 1.3
GOOD_MS, AIM_SECONDS, AIM_RATIO = 300, 30, 1.2


def capacity(made: Installation) -> float:
    """Calls a second that CLIENTS users get answered who each wait for the answer before the next call."""
    one = user(CUSTOMER, SERVER, settings.read(made.environment))
    until = time.monotonic() + CLOSED_SECONDS
    answered: list[int] = []

    def work() -> None:
        count = 0
        while time.monotonic() < until:
            one.call("model.party.party.search_read", QUERY)
            count += 1
        answered.append(count)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered) / CLOSED_SECONDS


def wanted(made: Installation, rate: float) -> bool:
    """Whether the history and this load together want two CPUs; prints why."""
    ended = made.load(rate)
    time.sleep(4)
    before = Counters.of(made)
    time.sleep(LOADED_SECONDS)
    after = Counters.of(made)
    load = ended()
    found = recommended(made, before, after, load["p95_ms"] / 1000)
    name = (found["recommended"] or {}).get("name")
    print(f"{'ok  ' if name == LARGE else 'MISSED'}  recommended: {name}, because", flush=True)
    for reason in found["reasons"]:
        print(f"        {reason}")
    return name == LARGE


@contextmanager
def at_work(made: Installation) -> Iterator[None]:
    """A worker, before anything is ordered."""
    words = [sys.executable, "-m", "orchestrator.cli.main", "worker"]
    with (made.home / "bench-worker.log").open("wb") as log:
        worker = subprocess.Popen(words, env=made.environment, stdout=log, stderr=log)
    os.setpriority(os.PRIO_PROCESS, worker.pid, -10)
    time.sleep(4)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()


def live(made: Installation, rate: float) -> bool:
    """One resize under the load; whether every aim was met."""
    began = time.time()
    ended = made.load(rate)
    time.sleep(8)
    run = made.resize("--spec", LARGE)
    time.sleep(8)
    load = ended()
    approved = datetime.fromisoformat(run["decision"]["at"]).timestamp() - began
    good = _good_from(load)
    seconds = good - approved
    after = [each["p95_ms"] for each in load["seconds"] if each["at"] >= good and each["p95_ms"] is not None]
    worst = max(after, default=None)
    met = load["failed"] == 0 and seconds <= AIM_SECONDS and run["state"] == "done"
    print(
        f"{'ok  ' if met else 'MISSED'}  live: {load['sent']} calls, {load['failed']} failed; "
        f"{seconds:.1f} s from the approval to p95 <= {GOOD_MS} ms, then at most {worst} ms",
        load["errors"] or "",
        flush=True,
    )
    made.resize("--spec", SMALL)
    return met


def _good_from(load: dict[str, Any]) -> float:
    """Since when (seconds of the load) every second was good."""
    bad = [each["at"] for each in load["seconds"] if each["failed"] or (each["p95_ms"] or 1e9) > GOOD_MS]
    return float(max(bad, default=-1) + 1)


def stopping(made: Installation, spec: str) -> bool:
    """One resize with a stop."""
    figures = made.on("/usr/local/lib/mems/figures")
    report = made.report(made.resize("--spec", spec))
    took, said = report["downtime_seconds"], report["predicted_downtime_seconds"]
    same = json.loads(made.on("/usr/local/lib/mems/figures")) == json.loads(figures)
    met = took <= AIM_RATIO * said and same
    print(
        f"{'ok  ' if met else 'MISSED'}  with a stop: users waited {took:.1f} s, predicted {said:.1f} s; "
        f"figures {'the same' if same else 'DIFFER'}",
        flush=True,
    )
    return met


def measure(made: Installation, repeats: int, stops: int) -> bool:
    """All of it."""
    can = capacity(made)
    rate = round(OVERLOAD * can, 1)
    print(f"half a CPU answers {can:.1f} calls a second; the load is {rate} a second", flush=True)
    met = [wanted(made, rate)]
    with at_work(made):
        met += [live(made, rate) for _ in range(repeats)]
    made.variables(server_stop_to_resize=True)
    met += [stopping(made, (LARGE, SMALL)[number % 2]) for number in range(stops)]
    return all(met)


def main() -> int:
    """Measure; the lab is taken down whatever happens."""
    words = argparse.ArgumentParser()
    words.add_argument("--repeats", type=int, default=5)
    words.add_argument("--stops", type=int, default=3)
    words.add_argument("--home", type=Path)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="amc-resize-") as folder:
        home = asked.home or Path(folder)
        lab = Lab(home / "lab", settings.read().cache)
        try:
            met = measure(install(home), asked.repeats, asked.stops)
        finally:
            lab.down()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
