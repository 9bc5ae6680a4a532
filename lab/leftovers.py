"""What of a lab is on this machine, by the names that its id gives: what `down` brings to nothing."""

import os
from collections import Counter
from pathlib import Path

from lab import cgroups, disks, network
from lab import mounts as mount_table
from lab.names import Names


def leftovers(lab: str) -> Counter[str]:
    """Counts of a lab's processes, mounts, loops, links, cgroups, nft tables, folders in /run; no zeros."""
    names = Names(lab)
    group = cgroups.Group(cgroups.here(), names.cgroup)
    folders = mount_table.machine_folders(f"{lab}-*")
    loops = disks.attached(names)
    ours = [path for path, source in mount_table.sources().items() if source in loops]
    ours += [path for path, source in mount_table.sources().items() if _is_ours(names, folders, path, source)]
    counts = Counter(
        processes=len(group.pids()),
        mounts=len(ours),
        loops=len(loops),
        links=len(network.links(names)),
        cgroups=sum(1 for top in group.folders() for _ in os.walk(top)),
        tables=int(network.has_table(names)),
        folders=len(folders),
    )
    return +counts


def numbers(names: Names) -> set[int]:
    """Numbers of servers that a cgroup, link, mount or folder of the lab names."""
    found = {names.number_of(link) for link in network.links(names)}
    found |= {names.number_of(source) for source in mount_table.sources().values()}
    found |= set(disks.attached(names).values())
    found |= {names.number_of(folder.name) for folder in mount_table.machine_folders(f"{names.lab}-*")}
    for top in cgroups.Group(cgroups.here(), names.cgroup).folders():
        found |= {int(path.name) for path in top.glob("*") if path.name.isdigit()}
    return {number for number in found if number is not None}


def mounts(names: Names, number: int) -> list[Path]:
    """Where a server's files are mounted, in the order to unmount: its disk last."""
    loops = [device for device, owner in disks.attached(names).items() if owner == number]
    table = mount_table.sources().items()
    files = [path for path, source in table if source == names.mount(number)]
    return files + [path for path, source in table if source in loops]


def _is_ours(names: Names, folders: list[Path], path: Path, source: str) -> bool:
    return names.number_of(source) is not None or source == names.view or path in folders
