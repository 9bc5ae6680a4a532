"""Disasters under writes and recoveries to random moments, counted; each on a pair in a lab of its own.

    python bench/soak/recoveries.py [--kills 10] [--soon 3] [--moments 10] [--seed 5] [--home FOLDER]

A kill: PostgreSQL gets SIGKILL under numbered commits and its files are removed; then the newest state is
recovered. `--soon` of them come right after the recovery before, before its base backup is done. A moment: a
random one between two of the commits is recovered. Prints a line for each. Exit code 1 when acknowledged
commits of more than 1 s were lost, or a moment's set was not exactly the commits up to it.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from lab import Lab
from orchestrator import settings

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/servers/protection"))

from recovering import Recovered, moment

LIMIT_SECONDS = 1.0


def kill(server: Recovered, run: str, dice: random.Random) -> tuple[bool, str]:
    """One disaster: whether it lost little enough, and the words."""
    server.commit_for(dice.uniform(1, 5))
    server.lose_the_database()
    report = server.recover(run)
    acknowledged, there = server.acknowledged(), set(server.restored())
    lost = [commit for commit in acknowledged if commit.number not in there]
    seconds = acknowledged[-1].after - lost[0].before if lost else 0.0
    words = f"{len(acknowledged)} commits, lost {len(lost)} ({seconds:.3f} s), timeline {report['timeline']}"
    return seconds <= LIMIT_SECONDS and report[
        "lost_seconds"
    ] == 0.0, f"{words}, RTO {report['rto_seconds']} s"


def earlier(server: Recovered, run: str, dice: random.Random) -> tuple[bool, str]:
    """One random moment: whether exactly the commits up to it are there."""
    server.commit_for(dice.uniform(2, 5), 0.01)
    commits = server.acknowledged()
    chosen = commits[dice.randrange(5, len(commits) - 5)]
    report = server.recover(run, recover_to=moment(chosen.after + 0.0005))
    restored = server.restored()
    exact = restored == list(range(1, chosen.number + 1))
    words = f"to commit {chosen.number}, restored up to {restored[-1] if restored else 0}"
    return exact, f"{words}, taken back {report['lost_commits']}, RTO {report['rto_seconds']} s"


def main() -> int:
    """Do them all and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--soon", type=int, default=3, help="of the kills, right after the recovery before")
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--home", type=Path, help="default: a temporary folder")
    chosen = parser.parse_args()
    dice = random.Random(chosen.seed)
    home = chosen.home or Path(tempfile.mkdtemp(prefix="recoveries-"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it takes its lab down
    lab = Lab(home / "lab", settings.read().cache)
    plain = chosen.kills - chosen.soon
    todo = ["kill"] * plain + ["moment"] * chosen.moments
    dice.shuffle(todo)
    todo += ["soon"] * chosen.soon
    failed = 0
    try:
        server = Recovered(lab, home)
        server.start()
        for number, what in enumerate(todo, 1):
            if what != "soon":
                server.wait_until_protected()
            started = time.monotonic()
            good, words = (earlier if what == "moment" else kill)(server, f"soak{number}", dice)
            failed += not good
            verdict = "ok" if good else "FAILED"
            print(
                f"{number:3d} {what:6s} {verdict:6s} {time.monotonic() - started:5.0f} s  {words}", flush=True
            )
            server.shell("mems1", "sudo rm -rf /var/lib/amc/set-aside/*")
    finally:
        lab.down()
    print(f"{len(todo)} recoveries, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
