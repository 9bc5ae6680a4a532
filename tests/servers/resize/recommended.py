"""What `amc size recommend` says of the small server: twelve days of history, then a measured load."""

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from grown import CUSTOMER, REPOSITORY, SERVER, Installation

sys.path.insert(0, str(REPOSITORY))

from tests.integration.sizing import exposition
from tests.integration.sizing.backfilled import prometheus
from tests.unit.sizing.histories import Erp

HISTORY = Erp(days=12, cpus=0.5, memory_mib=1024, busy=0.25, working_set=450, disk=4, disk_size=8)
LASTS = timedelta(minutes=6)
"""For so long the measured load is told to have lasted: the rules want five minutes of it."""

PRINTED = """
cd /run && mv amc-exposition.py exposition.py && mv amc-machine.py machine.py
python3 -B -c 'import time, exposition, machine
print("at", time.time())
print(exposition.render(machine.Machine().families()))'
rm exposition.py machine.py
"""


@dataclass(frozen=True)
class Counters:
    """CPU seconds used and seconds in which a task waited for a CPU, at a moment (seconds)."""

    at: float
    cpu: float
    waiting: float

    def used_since(self, before: "Counters") -> float:
        """CPUs."""
        return (self.cpu - before.cpu) / (self.at - before.at)

    @staticmethod
    def of(made: Installation) -> "Counters":
        """As the server's exporter tells them now."""
        files = REPOSITORY / "roles/monitor/files"
        parts = [
            f"cat >/run/amc-{name} <<'END'\n{(files / name).read_text()}\nEND"
            for name in ("exposition.py", "machine.py")
        ]
        told = made.on("\n".join([*parts, PRINTED]))
        values = {
            words.partition("{")[0] + words.partition("resource=")[2].strip('"}'): float(value)
            for words, value in (line.rsplit(" ", 1) for line in told.splitlines() if line and line[0] != "#")
        }
        return Counters(
            values["at"],
            values["mems_server_cpu_seconds_total"],
            values["mems_server_pressure_waiting_seconds_totalcpu"],
        )


def recommended(made: Installation, before: Counters, after: Counters, response_s: float) -> Any:
    """The recommendation (JSON) for a load between two moments; 95 % of its calls took up to `response_s`."""
    seconds = after.at - before.at
    cpus, waiting = after.used_since(before), min(1.0, (after.waiting - before.waiting) / seconds)
    now = datetime.now(UTC)
    families = exposition.mems(HISTORY.load(now))
    exposition.saturated(families, now, cpus, LASTS, waiting=waiting, response_s=response_s)
    with (
        tempfile.TemporaryDirectory(prefix="amc-prometheus-") as folder,
        prometheus(Path(folder), exposition.text({SERVER: families}, CUSTOMER)) as reached,
    ):
        asking = replace(made, environment=made.environment | reached)
        words = ("size", "recommend", "--customer", CUSTOMER, "--server", SERVER, "--json")
        (found,) = json.loads(asking.amc(*words).stdout)
    return found
