"""What of a lab is on this machine, by the names that its id gives: what `down` brings to nothing."""

import os
from collections import Counter
from pathlib import Path

from lab import cgroups, network
from lab import mounts as mount_table
from lab.names import Names


def leftovers(lab: str) -> Counter[str]:
    """Counts of a lab's processes, mounts, links, cgroups and nft tables; kinds at 0 are left out."""
    names = Names(lab)
    group = cgroups.Group(cgroups.here(), names.cgroup)
    counts = Counter(
        processes=len(group.pids()),
        mounts=len([source for source in mount_table.sources().values() if names.number_of(source)]),
        links=len(network.links(names)),
        cgroups=sum(1 for top in group.folders() for _ in os.walk(top)),
        tables=int(network.has_table(names)),
    )
    return +counts


def numbers(names: Names) -> set[int]:
    """Numbers of servers that a cgroup, link or mount of the lab names."""
    found = {names.number_of(link) for link in network.links(names)}
    found |= {names.number_of(source) for source in mount_table.sources().values()}
    for top in cgroups.Group(cgroups.here(), names.cgroup).folders():
        found |= {int(path.name) for path in top.glob("*") if path.name.isdigit()}
    return {number for number in found if number is not None}


def mounts(names: Names, number: int) -> list[Path]:
    """Where a server's files are mounted."""
    return [path for path, source in mount_table.sources().items() if source == names.mount(number)]
