"""What a server has and uses, read in each layout that occurs: files as the lab's servers show them."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]
PRESSURE = "some avg10=0.00 avg60=0.00 avg300=0.00 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n"
PROC = {
    "proc/stat": "cpu  100 20 30 9000 40 5 6 7 0 0\ncpu0 100 20 30 9000 40 5 6 7 0 0\n",
    "proc/meminfo": "MemTotal:        4096 kB\nMemFree: 1 kB\nMemAvailable:    1024 kB\n",
    "proc/vmstat": "nr_free_pages 1\noom_kill 3\n",
    "proc/pressure/cpu": PRESSURE.format(9_000_000),
    "proc/pressure/memory": PRESSURE.format(0),
    "proc/pressure/io": PRESSURE.format(9_000_000),
}
OWN_V2 = {
    "cgroup.type": "domain\n",
    "cpu.stat": "usage_usec 38932087\nuser_usec 1\n",
    "cpu.pressure": PRESSURE.format(1_500_000),
    "memory.pressure": PRESSURE.format(250_000),
    "io.pressure": PRESSURE.format(0),
}
V1 = {
    "cpu/cpu.cfs_quota_us": "50000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpuacct/cpuacct.usage": "7000000000\n",
    "memory/memory.limit_in_bytes": "1048576\n",
    "memory/memory.usage_in_bytes": "900000\n",
    "memory/memory.stat": "cache 5\ntotal_inactive_file 100000\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "memory/system.slice/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
}
V2 = {
    **OWN_V2,
    "cpu.max": "150000 100000\n",
    "memory.max": "2097152\n",
    "memory.current": "1500000\n",
    "memory.stat": "anon 1\ninactive_file 500000\n",
    "memory.events": "low 0\noom 5\noom_kill 4\n",
}
UNLIMITED = {"cpu.max": "max 100000\n", "memory.max": "max\n"}
HYBRID = {**V1, **{f"unified/{name}": text for name, text in OWN_V2.items()}}
# name -> (files below /sys/fs/cgroup, in a container?, what is told)
LAYOUTS = {
    "a VM": ({"cpu.stat": "usage_usec 1\n"}, False, (2, 1.61, 4194304, 3145728, 3, 9)),
    "lab, hybrid": (HYBRID, True, (0.5, 38.932087, 1048576, 800000, 3, 1.5)),
    "lab, version 1 alone": (V1, True, (0.5, 7, 1048576, 800000, 3, 9)),
    "lab, version 2": (V2, True, (1.5, 38.932087, 2097152, 1000000, 4, 1.5)),
    "lab, version 2, no limit": (V2 | UNLIMITED, True, (2, 38.932087, 4194304, 1000000, 4, 1.5)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout(monitor_program: Load, tmp_path: Path, layout: str) -> None:
    """CPUs, CPU seconds, memory, working set, OOM kills, seconds of waiting for a CPU."""
    files, container, told = LAYOUTS[layout]
    for name, text in {**{f"cgroup/{name}": text for name, text in files.items()}, **PROC}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if container:
        (tmp_path / "container").touch()
    machine = monitor_program("machine").Machine(
        cgroup=tmp_path / "cgroup",
        proc=tmp_path / "proc",
        container=tmp_path / "container",
        affinity=lambda: 2,
    )
    found = {family.name: family.samples for family in machine.families()}
    names = ("cpus", "cpu_seconds_total", "memory_bytes", "memory_working_set_bytes", "oom_kills_total")
    values = [found[f"mems_server_{name}"][0][2] for name in names]
    waits = {
        labels["resource"]: value for _, labels, value in found["mems_server_pressure_waiting_seconds_total"]
    }
    assert (*values, waits["cpu"]) == pytest.approx(told)
    assert set(waits) == {"cpu", "memory", "io"}


def test_a_quota_beyond_the_cpus_makes_no_more_of_them(monitor_program: Load, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("800000\n")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert monitor_program("machine").Machine(cgroup=tmp_path, affinity=lambda: 2).cpus() == (2, "affinity")


def test_what_is_not_known_has_no_sample(monitor_program: Load, tmp_path: Path) -> None:
    """A kernel without PSI, for one; nothing is told as 0 that nobody measured."""
    machine = monitor_program("machine").Machine(cgroup=tmp_path, proc=tmp_path, container=tmp_path / "no")
    text = monitor_program("exposition").render(machine.families())
    assert [line.split(" ")[0] for line in text.splitlines() if line[0] != "#"] == ["mems_server_cpus"]


def test_this_machine_itself(monitor_program: Load) -> None:
    """The real files, whatever they are here: all of it is told, and plausible."""
    machine = monitor_program("machine").Machine()
    assert machine.cpus()[0] > 0
    assert 0 < machine.working_set()[0] < machine.memory()[0]
    assert machine.cpu_seconds()[0] > 0
    assert machine.oom_kills()[0] >= 0
