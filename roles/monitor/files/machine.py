"""What this server has and uses, as is true for it: in a container its own cgroup's figures, not the host's.

Each figure has one source, the first of these that is there:

               cgroup v2, its own        cgroup v1, its own                        the kernel's own files
    cpus       cpu.max, affinity         cpu.cfs_quota_us, affinity                affinity (what nproc says)
    CPU use    cpu.stat                  cpuacct.usage                             /proc/stat
    memory     memory.max, MemTotal      memory.limit_in_bytes, MemTotal           MemTotal
    in use     memory.current            memory.usage_in_bytes                     MemTotal - MemAvailable
               - inactive_file           - total_inactive_file
    OOM kills  memory.events             memory.oom_control                        /proc/vmstat
    waiting    {cpu,memory,io}.pressure of the own cgroup                          /proc/pressure

A machine of its own (a VM) has the last column, which equals node_exporter's figures. lxcfs, where it is,
makes /proc the container's too.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exposition import Family

RESOURCES = ("cpu", "memory", "io")
Figure = tuple[float, str] | None  # value and source


@dataclass
class Machine:
    """Where to read; `affinity` counts the CPUs that a process may run on."""

    cgroup: Path = Path("/sys/fs/cgroup")
    proc: Path = Path("/proc")
    container: Path = Path("/run/systemd/container")  # there in a container only
    affinity: Callable[[], int] = lambda: len(os.sched_getaffinity(0))

    def families(self) -> list[Family]:
        """What can be read here; what can't has no sample."""
        waits = [(each, self._waiting(each)) for each in RESOURCES]
        found = [
            _family("mems_server_cpus", "gauge", "CPUs of this server", self.cpus()),
            _family("mems_server_cpu_seconds_total", "counter", "CPU time it used", self.cpu_seconds()),
            _family("mems_server_memory_bytes", "gauge", "Memory of this server", self.memory()),
            _family(
                "mems_server_memory_working_set_bytes",
                "gauge",
                "Memory in use that can't be dropped",
                self.working_set(),
            ),
            _family(
                "mems_server_oom_kills_total", "counter", "Processes killed for memory", self.oom_kills()
            ),
        ]
        source = next((figure[1] for _, figure in waits if figure), "")
        words = f"Time in which something waited for the resource (from {source})."
        waiting = Family("mems_server_pressure_waiting_seconds_total", "counter", words)
        for resource, figure in waits:
            if figure:
                waiting.add(figure[0], resource=resource)
        return [*found, waiting]

    def cpus(self) -> Figure:
        """The quota where one is smaller than the CPUs it may run on."""
        count = float(self.affinity())
        quota, source = self._quota()
        return (quota, source) if quota and quota < count else (count, "affinity")

    def cpu_seconds(self) -> Figure:
        """Of all its processes, since its start."""
        for group in self._own2():
            if (used := _keyed(group / "cpu.stat").get("usage_usec")) is not None:
                return used / 1e6, "cgroup v2"
        for name in ("cpuacct", "cpu,cpuacct"):
            if (used := _number(self.cgroup / name / "cpuacct.usage")) is not None and self._in_container:
                return used / 1e9, "cgroup v1"
        line = _text(self.proc / "stat").partition("\n")[0].split()
        if len(line) < 8:
            return None
        user, nice, system, _idle, _iowait, irq, softirq = (float(each) for each in line[1:8])
        return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK"), "/proc/stat"

    def memory(self) -> Figure:
        """The smallest limit."""
        limits = [(_number(group / "memory.max"), "cgroup v2") for group in self._own2()]
        limits.append((_number(self.cgroup / "memory/memory.limit_in_bytes"), "cgroup v1"))
        limits.append((self._meminfo("MemTotal"), "/proc/meminfo"))
        return min(((limit, source) for limit, source in limits if limit), default=None)

    def working_set(self) -> Figure:
        """Without the pages of files that nobody used lately."""
        for group in self._own2():
            used = _number(group / "memory.current")
            if used is not None:
                return used - _keyed(group / "memory.stat").get("inactive_file", 0), "cgroup v2"
        group = self.cgroup / "memory"
        used = _number(group / "memory.usage_in_bytes")
        if used is not None and self._in_container:
            return used - _keyed(group / "memory.stat").get("total_inactive_file", 0), "cgroup v1"
        total, free = self._meminfo("MemTotal"), self._meminfo("MemAvailable")
        return (total - free, "/proc/meminfo") if total and free is not None else None

    def oom_kills(self) -> Figure:
        """Counted by the kernel since the server's start."""
        for group in self._own2():
            if (kills := _keyed(group / "memory.events").get("oom_kill")) is not None:
                return kills, "cgroup v2"
        top = self.cgroup / "memory"
        if self._in_container and (top / "memory.oom_control").exists():
            # Version 1 counts a kill in the group of the killed only.
            found = [_keyed(path).get("oom_kill", 0) for path in top.rglob("memory.oom_control")]
            return sum(found), "cgroup v1"
        kills = _keyed(self.proc / "vmstat").get("oom_kill")
        return (kills, "/proc/vmstat") if kills is not None else None

    def _waiting(self, resource: str) -> Figure:
        places = [(group / f"{resource}.pressure", "cgroup v2") for group in self._own2()]
        for path, source in [*places, (self.proc / "pressure" / resource, "/proc/pressure")]:
            for line in _text(path).splitlines():
                if line.startswith("some "):
                    return float(line.rpartition("total=")[2]) / 1e6, source
        return None

    def _quota(self) -> tuple[float | None, str]:
        for group in self._own2():
            quota, _, period = _text(group / "cpu.max").strip().partition(" ")
            if quota.isdigit():
                return int(quota) / int(period), "cgroup v2"
        for name in ("cpu", "cpu,cpuacct"):
            quota1 = _number(self.cgroup / name / "cpu.cfs_quota_us")
            period1 = _number(self.cgroup / name / "cpu.cfs_period_us")
            if quota1 and quota1 > 0 and period1:
                return quota1 / period1, "cgroup v1"
        return None, ""

    def _own2(self) -> list[Path]:
        """The top of this server's own cgroups of version 2; none where the top is the whole kernel's."""
        tops = (self.cgroup, self.cgroup / "unified")
        # Only a group below the kernel's own root has a type.
        return [top for top in tops if (top / "cgroup.type").exists()]

    @property
    def _in_container(self) -> bool:
        """Whether the version 1 groups in sight are this server's own and not the whole kernel's."""
        return self.container.exists()

    def _meminfo(self, name: str) -> float | None:
        for line in _text(self.proc / "meminfo").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return float(value.split()[0]) * 1024
        return None


def _family(name: str, kind: str, words: str, figure: Figure) -> Family:
    family = Family(name, kind, f"{words} (from {figure[1] if figure else 'nowhere'}).")
    return family.add(figure[0]) if figure else family


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # not there, or not for us
        return ""


def _number(path: Path) -> float | None:
    words = _text(path).strip()
    try:
        return float(words)
    except ValueError:  # "max", or nothing
        return None


def _keyed(path: Path) -> dict[str, float]:
    pairs = (line.split() for line in _text(path).splitlines())
    return {pair[0]: float(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
