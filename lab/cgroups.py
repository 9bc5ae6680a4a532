"""Where a lab's processes are held, on cgroup v1, hybrid and v2 alike.

A process put into `amc-<lab>/<number>/…` cannot leave it by forking, double forking or a new session: what is
populated there is what lives, and killing what is there kills everything. Pid files could lie; this cannot.
"""

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError, MachineLacks
from lab.waiting import wait_until

CONTROLLERS = ("cpu", "cpuset", "memory")
"""Those that limit a server."""


@dataclass(frozen=True)
class Hierarchies:
    """The mounted hierarchies: unified first, then name=systemd, then the others.

    `v1`: controllers of version 1 with the roots of their hierarchies. `unified`: version 2's root.
    """

    roots: tuple[Path, ...]
    v1: Mapping[str, Path] = field(default_factory=dict)
    unified: Path | None = None

    @property
    def main(self) -> Path:
        """The hierarchy that answers questions."""
        return self.roots[0]


def hierarchies(mounts: str) -> Hierarchies:
    """The layout that `mounts` (the text of /proc/self/mounts) shows."""
    ranked: list[tuple[int, Path]] = []
    v1: dict[str, Path] = {}
    unified: Path | None = None
    for line in mounts.splitlines():
        _, target, kind, options = line.split(" ")[:4]
        words = options.split(",")
        path = Path(target.replace("\\040", " "))
        if kind == "cgroup2":
            ranked.append((0, path))
            unified = path
        elif kind == "cgroup":
            ranked.append((1 if "name=systemd" in words else 2, path))
            v1.update({word: path for word in words if word in CONTROLLERS})
    if not ranked:
        raise MachineLacks(
            "no cgroup hierarchy is mounted", "mount one: `mount -t cgroup2 cgroup2 /sys/fs/cgroup`"
        )
    ranked.sort(key=lambda pair: pair[0])
    roots: dict[Path, None] = {path: None for _, path in ranked}
    return Hierarchies(tuple(roots), v1, unified)


def here() -> Hierarchies:
    """The layout of this machine."""
    return hierarchies(Path("/proc/self/mounts").read_text())


@dataclass(frozen=True)
class Group:
    """One group, the same relative `path` in every hierarchy."""

    layout: Hierarchies
    path: str

    def folders(self) -> list[Path]:
        """The group's folder in each hierarchy, `layout.main`'s first."""
        return [root / self.path for root in self.layout.roots]

    def child(self, name: str) -> "Group":
        """A group below this one."""
        return Group(self.layout, f"{self.path}/{name}")

    def create(self) -> None:
        """Make the group in every hierarchy; it may exist."""
        for folder in self.folders():
            folder.mkdir(parents=True, exist_ok=True)
        self._assign_everything()

    def join_cpuset(self) -> None:
        """Put the group's processes into v1's cpuset, too: labs of earlier versions left it out."""
        if (root := self.layout.v1.get("cpuset")) is None:
            return
        (root / self.path).mkdir(parents=True, exist_ok=True)
        self._assign_everything()
        procs = root / self.path / "cgroup.procs"
        for _ in range(20):  # what is forked meanwhile comes in the next round
            outside = self.pids() - {int(pid) for pid in procs.read_text().split()}
            if not outside:
                return
            for pid in outside:
                with contextlib.suppress(ProcessLookupError):
                    procs.write_text(str(pid))

    def _assign_everything(self) -> None:
        """v1's cpuset takes no process before it has processors and memory nodes: all that are above it."""
        if (folder := self.layout.v1.get("cpuset")) is None:
            return
        for part in Path(self.path).parts:
            above, folder = folder, folder / part
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (folder / name).read_text().strip():
                    (folder / name).write_text((above / name).read_text())

    def exists(self) -> bool:
        """Whether any hierarchy has it."""
        return any(folder.is_dir() for folder in self.folders())

    def pids(self) -> set[int]:
        """Processes in the group or below, in any hierarchy: one may have been killed half-way into them."""
        found: set[int] = set()
        for top in self.folders():
            for folder, _, _ in os.walk(top):
                try:
                    found.update(int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split())
                except OSError:  # removed, or being removed, under our hands
                    continue
        return found - {0}

    def kill(self, seconds: float = 15) -> None:
        """Kill -9 all that is in the group and wait until it is empty."""
        switch = self.folders()[0] / "cgroup.kill"

        def emptied() -> bool:
            if switch.exists():
                with contextlib.suppress(OSError):  # it is vanishing; else the pids are killed one by one
                    switch.write_text("1")
            pids = self.pids()
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            return not pids

        wait_until(emptied, f"killed processes of cgroup {self.path} to end", seconds)

    def remove(self, seconds: float = 5) -> None:
        """Remove the empty group and all below it from every hierarchy."""
        for top in self.folders():
            deadline = time.monotonic() + seconds
            while top.is_dir():
                for folder, _, _ in os.walk(top, topdown=False):
                    try:
                        Path(folder).rmdir()
                    except OSError:
                        continue  # its last process may still be on its way out
                if top.is_dir() and time.monotonic() > deadline:
                    raise LabError(
                        f"cgroup {top} could not be removed; in it: {sorted(self.pids()) or 'no process'}"
                    )
                if top.is_dir():
                    time.sleep(0.05)
