"""Which hierarchies a lab uses on machines with cgroup v1, hybrid and v2."""

from pathlib import Path

import pytest

from lab.cgroups import Group, Hierarchies, hierarchies
from lab.errors import MachineLacks

V1 = """\
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0
"""
HYBRID = V1 + "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
V2 = """\
sysfs /sys sysfs rw,relatime 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0
/dev/vda / ext4 rw,relatime 0 0
"""


@pytest.mark.parametrize(
    ("mounts", "first", "count"),
    [
        (V1, "/sys/fs/cgroup/systemd", 3),
        (HYBRID, "/sys/fs/cgroup/unified", 4),
        (V2, "/sys/fs/cgroup", 1),
    ],
    ids=["v1", "hybrid", "v2"],
)
def test_layouts(mounts: str, first: str, count: int) -> None:
    """Unified answers first, then name=systemd; cpuset never: a new group of it refuses processes."""
    layout = hierarchies(mounts)
    assert layout.roots[0] == Path(first)
    assert len(layout.roots) == count
    assert Path("/sys/fs/cgroup/cpuset") not in layout.roots


def test_a_machine_without_cgroups_is_told_what_to_do() -> None:
    """The error is about the machine and holds the command."""
    with pytest.raises(MachineLacks) as caught:
        hierarchies("/dev/vda / ext4 rw 0 0\n")
    assert "mount -t cgroup2" in caught.value.mend


def test_processes_are_found_in_every_hierarchy_and_below(tmp_path: Path) -> None:
    """A process in one hierarchy only (its launcher was killed half-way) is found too; 0 is no process."""
    group = Group(Hierarchies((tmp_path / "unified", tmp_path / "cpu")), "amc-l00001/10")
    inner = group.child("guest/payload")
    inner.create()
    (tmp_path / "unified/amc-l00001/10/guest/payload/cgroup.procs").write_text("7\n0\n")
    (tmp_path / "cpu/amc-l00001/10/cgroup.procs").write_text("9\n")
    assert group.pids() == {7, 9}
    assert inner.pids() == {7}
    assert group.exists()
    assert not group.child("loop").exists()
