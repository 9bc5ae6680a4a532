"""What does the orchestrator add to a playbook? A run through a warm worker against bare `ansible-playbook`.

    python bench/warm_worker.py [--pairs 5] [--seconds 60] [--database-url URL]

A playbook of as many one-second tasks on localhost, so that the time is Ansible's own. Pairs, the first of a
pair by turns; the worker has done one run before. Measured: from the order's transaction to the settled row
(as `amc run start --wait` sees it), against the bare process with the same environment. Prints each pair, the
medians, and the difference in seconds and percent; exit code 1 above 1.0 s or 5 %.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/integration"))

from runs.conftest import House, build

MOST_SECONDS, MOST_PERCENT = 1.0, 5.0
POLL_SECONDS = 0.02

PLAYBOOK = """
- name: Patch
  hosts: mems
  gather_facts: false
  tasks:
    - name: A second's work
      ansible.builtin.command: sleep 1
      loop: "{{ range(SECONDS) | list }}"
      changed_when: false
"""


def through_the_worker(house: House, key: str) -> float:
    """Seconds from the order to the end of its run."""
    began = time.monotonic()
    run = house.order(key)
    while (state := house.standing(run)) in ("queued", "running"):
        time.sleep(POLL_SECONDS)
    took = time.monotonic() - began
    if state != "done":
        raise SystemExit(f"{run} is {state}: {house.show(run)['words']}\n{house.logs()}")
    return took


def bare(house: House) -> float:
    """Seconds of the same playbook without us."""
    repository = house.folder / "repository"
    program = Path(sys.executable).parent / "ansible-playbook"
    words = [program, "-i", repository / "inventories/acme", repository / "playbooks/patch.yml"]
    began = time.monotonic()
    subprocess.run(words, env=house.environment, cwd=repository, capture_output=True, check=True)
    return time.monotonic() - began


def main() -> int:
    """Measure; everything that was started is ended."""
    words = argparse.ArgumentParser()
    words.add_argument("--pairs", type=int, default=5)
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--database-url", default="")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="amc-warm-") as folder:
        more = {"AMC_DATABASE_URL": asked.database_url} if asked.database_url else {}
        house = build(Path(folder), **more)
        try:
            playbook = house.folder / "repository" / "playbooks" / "patch.yml"
            playbook.write_text(PLAYBOOK.replace("SECONDS", "1"))
            house.start("worker")
            through_the_worker(house, f"warm-{os.getpid()}")
            playbook.write_text(PLAYBOOK.replace("SECONDS", str(asked.seconds)))
            return _compared([_pair(house, number) for number in range(asked.pairs)])
        finally:
            house.close()


def _pair(house: House, number: int) -> tuple[float, float]:
    """(through the worker, bare)."""
    key = f"pair-{os.getpid()}-{number}"
    if number % 2:
        alone, ours = bare(house), through_the_worker(house, key)
    else:
        ours, alone = through_the_worker(house, key), bare(house)
    print(f"through the worker {ours:7.2f} s   bare {alone:7.2f} s   {ours - alone:+.2f} s", flush=True)
    return ours, alone


def _compared(pairs: list[tuple[float, float]]) -> int:
    more = statistics.median(ours - alone for ours, alone in pairs)
    percent = 100 * statistics.median((ours - alone) / alone for ours, alone in pairs)
    print(f"median of {len(pairs)} pairs: {more:+.2f} s, {percent:+.1f} %")
    return 1 if more > MOST_SECONDS or percent > MOST_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main())
