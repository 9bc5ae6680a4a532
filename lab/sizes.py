"""How large a server is, and what this machine can give. Pure, except `Machine.here`."""

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError

SMALLEST_CPUS = 0.1
SMALLEST_MEMORY_MIB = 256
"""Less does not boot a server with PostgreSQL."""
SMALLEST_DISK_GIB = 1


@dataclass(frozen=True)
class Size:
    """A server's size. `cpus`: processors, 0.5 is half of one. None: no limit of its own, the machine's."""

    cpus: float | None = None
    memory_mib: int | None = None
    disk_gib: int | None = None

    @property
    def processors(self) -> int | None:
        """How many processors it sees."""
        return None if self.cpus is None else math.ceil(self.cpus)

    def __str__(self) -> str:
        parts = [
            f"{self.cpus:g} CPU" if self.cpus is not None else "",
            f"{self.memory_mib} MiB" if self.memory_mib is not None else "",
            f"disk {self.disk_gib} GiB" if self.disk_gib is not None else "",
        ]
        return ", ".join(filter(None, parts)) or "no limits"

    def data(self) -> dict[str, float | int | None]:
        """For JSON."""
        return asdict(self)


NO_LIMITS = Size()


@dataclass(frozen=True)
class Machine:
    """What there is to give: processors, memory in MiB, free disk in GiB where servers lie."""

    cpus: int
    memory_mib: int
    free_gib: int

    @classmethod
    def here(cls, folder: Path) -> "Machine":
        """This machine; `folder`, or the nearest one above it that exists, is where the disks will be."""
        meminfo = Path("/proc/meminfo").read_text()
        kib = next(int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemTotal:"))
        exists = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
        disk = os.statvfs(exists)
        return cls(len(os.sched_getaffinity(0)), kib // 1024, disk.f_bavail * disk.f_frsize // 2**30)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field of a Size."""

    field: str
    words: str
    mend: str


def faults(size: Size, machine: Machine, now: Size | None = None) -> list[Fault]:
    """Why no server of this size can be; `now`: the size of the one that is to become it."""
    found = []
    if size.cpus is not None and not SMALLEST_CPUS <= size.cpus <= machine.cpus:
        words = f"{size.cpus:g} CPUs: this machine gives {SMALLEST_CPUS:g} to {machine.cpus}"
        found.append(Fault("cpus", words, "choose a smaller specification, or a larger machine"))
    if size.memory_mib is not None and not SMALLEST_MEMORY_MIB <= size.memory_mib <= machine.memory_mib:
        words = f"{size.memory_mib} MiB of memory: this machine gives {SMALLEST_MEMORY_MIB} to"
        words += f" {machine.memory_mib}"
        found.append(Fault("memory_mib", words, "choose a smaller specification, or a larger machine"))
    before = (now.disk_gib if now else None) or 0
    if size.disk_gib is not None and size.disk_gib < SMALLEST_DISK_GIB:
        found.append(Fault("disk_gib", f"a disk of {size.disk_gib} GiB", "1 GiB at least"))
    elif size.disk_gib is not None and size.disk_gib < before:
        words = f"the disk has {before} GiB and never shrinks, {size.disk_gib} GiB is less"
        found.append(Fault("disk_gib", words, f"keep {before} GiB, or make the server anew"))
    elif size.disk_gib is not None and size.disk_gib - before > machine.free_gib:
        words = f"a disk of {size.disk_gib} GiB: only {machine.free_gib} GiB are free on this machine"
        found.append(Fault("disk_gib", words, "free some, choose a smaller disk, or set AMC_HOME elsewhere"))
    return found


def check(name: str, size: Size, machine: Machine, now: Size | None = None) -> None:
    """LabError with everything that is wrong with `size` for server `name`."""
    if found := faults(size, machine, now):
        words = "; ".join(fault.words for fault in found)
        raise LabError(f"{name}: {words}", "; ".join(dict.fromkeys(fault.mend for fault in found)))
