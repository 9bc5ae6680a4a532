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
        (V1, "/sys/fs/cgroup/systemd", 4),
        (HYBRID, "/sys/fs/cgroup/unified", 5),
        (V2, "/sys/fs/cgroup", 1),
    ],
    ids=["v1", "hybrid", "v2"],
)
def test_layouts(mounts: str, first: str, count: int) -> None:
    """Unified answers first, then name=systemd, then the others."""
    layout = hierarchies(mounts)
    assert layout.roots[0] == Path(first)
    assert len(layout.roots) == count


def test_controllers_are_found_where_they_are() -> None:
    """v1's by their hierarchies, also where two share one; on v2 alone there is only the unified root."""
    layout = hierarchies(HYBRID)
    assert layout.v1 == {"cpu": Path("/sys/fs/cgroup/cpu,cpuacct"), "cpuset": Path("/sys/fs/cgroup/cpuset")}
    assert layout.unified == Path("/sys/fs/cgroup/unified")
    assert hierarchies(V1).unified is None
    assert hierarchies(V2).v1 == {}
    assert hierarchies(V2).unified == Path("/sys/fs/cgroup")


def test_a_new_v1_cpuset_gets_what_is_above_it(tmp_path: Path) -> None:
    """Each level is assigned its parent's processors and nodes, or no process could enter; a choice stays."""
    for name, part in (("cpus", ""), ("mems", ""), ("cpus", "lab"), ("mems", "lab")):
        (tmp_path / part).mkdir(exist_ok=True)
        (tmp_path / part / f"cpuset.{name}").write_text("" if part else "0-3\n")
    group = Group(Hierarchies((tmp_path,), {"cpuset": tmp_path}), "lab")
    group.create()
    assert (tmp_path / "lab/cpuset.cpus").read_text().strip() == "0-3"
    assert (tmp_path / "lab/cpuset.mems").read_text().strip() == "0-3"
    (tmp_path / "lab/cpuset.cpus").write_text("2")
    group.create()
    assert (tmp_path / "lab/cpuset.cpus").read_text() == "2"


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
