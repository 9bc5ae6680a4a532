"""What is written where, on cgroup v1 and v2, and that it is read back."""

from pathlib import Path

import pytest

from lab import limits
from lab.cgroups import Group, Hierarchies
from lab.errors import LabError, MachineLacks
from lab.sizes import Size

MIB = 2**20


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text + "\n")


def version_1(top: Path) -> Group:
    cpuset = {"cpuset.cpus": "0-3", "cpuset.mems": "0", "cgroup.procs": ""}
    write(top / "cpuset", {**cpuset, "cpuset.effective_cpus": "0-3"})
    write(top / "cpuset/lab", cpuset)
    write(top / "cpu/lab", {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "50000"})
    endless = str(2**63 - 4096)
    memory = {"memory.limit_in_bytes": endless, "memory.memsw.limit_in_bytes": endless}
    write(top / "memory/lab", {**memory, "memory.stat": f"rss 1\ntotal_rss {7 * MIB}\ntotal_shmem {2 * MIB}"})
    roots = tuple(top / name for name in ("cpu", "cpuset", "memory"))
    return Group(Hierarchies(roots, {root.name: root for root in roots}), "lab")


def version_2(top: Path) -> Group:
    write(top, {"cgroup.subtree_control": "memory", "cpuset.cpus.effective": "0-1,4-5"})
    write(top / "lab", {"cpu.max": "max 100000", "cpuset.cpus": "", "memory.max": "max"})
    write(
        top / "lab", {"memory.swap.max": "max", "memory.stat": f"anon {5 * MIB}\nshmem {MIB}\nfile 99999999"}
    )
    return Group(Hierarchies((top,), {}, top), "lab")


def text(path: Path) -> str:
    return path.read_text().strip()


def test_version_1(tmp_path: Path) -> None:
    """Whole processors, their share, memory and no swap beside it; all can be taken off again."""
    group = version_1(tmp_path)
    limits.apply(group, Size(1.5, 1024), number=11)
    assert text(tmp_path / "cpuset/lab/cpuset.cpus") == "0,3"
    assert text(tmp_path / "cpu/lab/cpu.cfs_quota_us") == "150000"
    assert text(tmp_path / "cpu/lab/cpu.cfs_period_us") == "100000"
    assert text(tmp_path / "memory/lab/memory.limit_in_bytes") == str(1024 * MIB)
    assert text(tmp_path / "memory/lab/memory.memsw.limit_in_bytes") == str(1024 * MIB)
    assert limits.read(group) == Size(1.5, 1024)
    assert limits.held_mib(group) == 9
    limits.apply(group, Size(), number=11)
    assert text(tmp_path / "cpuset/lab/cpuset.cpus") == "0,1,2,3"
    assert text(tmp_path / "cpu/lab/cpu.cfs_quota_us") == "-1"
    assert text(tmp_path / "memory/lab/memory.limit_in_bytes") == "-1"


def test_version_2(tmp_path: Path) -> None:
    """The same there; controllers that the parent does not hand down yet are asked for."""
    group = version_2(tmp_path)
    limits.apply(group, Size(0.5, 2048), number=10)
    assert text(tmp_path / "lab/cpuset.cpus") == "4"
    assert text(tmp_path / "lab/cpu.max") == "50000 100000"
    assert text(tmp_path / "lab/memory.max") == str(2048 * MIB)
    assert text(tmp_path / "lab/memory.swap.max") == "0"
    assert text(tmp_path / "cgroup.subtree_control") == "+cpuset"
    assert limits.read(group) == Size(0.5, 2048)
    assert limits.held_mib(group) == 6


def test_a_server_without_limits_asks_nothing_of_the_machine(tmp_path: Path) -> None:
    """On a machine without controllers it works as before; one with limits is refused in words."""
    group = Group(Hierarchies((tmp_path,), {}, tmp_path), "lab")
    (tmp_path / "lab").mkdir()
    limits.apply(group, Size(), number=10)
    assert list((tmp_path / "lab").iterdir()) == []
    assert limits.read(group) == Size()
    with pytest.raises(MachineLacks, match="no controller `cpu`"):
        limits.apply(group, Size(1, 1024), number=10)


def test_a_limit_by_hand_is_seen(tmp_path: Path) -> None:
    """Fewer processors than the quota allows: the server has only those."""
    group = version_1(tmp_path)
    limits.apply(group, Size(2, 1024), number=10)
    (tmp_path / "cpuset/lab/cpuset.cpus").write_text("3\n")
    (tmp_path / "memory/lab/memory.limit_in_bytes").write_text(f"{512 * MIB}\n")
    assert limits.read(group) == Size(1.0, 512)


def test_what_the_kernel_refuses_is_said(tmp_path: Path) -> None:
    """With the file and a mend."""
    group = version_1(tmp_path)
    (tmp_path / "memory/lab/memory.memsw.limit_in_bytes").unlink()
    (tmp_path / "memory/lab/memory.memsw.limit_in_bytes").mkdir()
    with pytest.raises(LabError, match=r"memory\.memsw\.limit_in_bytes = \d+ was refused") as caught:
        limits.apply(group, Size(1, 1024), number=10)
    assert caught.value.mend


@pytest.mark.parametrize(
    ("number", "wanted", "chosen"),
    [(10, 1, [2]), (11, 1, [3]), (11, 2, [0, 3]), (12, 3, [0, 1, 2]), (12, None, [0, 1, 2, 3])],
)
def test_small_servers_are_spread(number: int, wanted: int | None, chosen: list[int]) -> None:
    """Servers next to each other start at different processors."""
    assert limits.choose([0, 1, 2, 3], number, wanted) == chosen


def test_the_kernels_lists_are_read() -> None:
    """Single numbers, ranges, nothing."""
    assert limits.numbers("0-2,8,10-11\n") == [0, 1, 2, 8, 10, 11]
    assert limits.numbers("\n") == []
