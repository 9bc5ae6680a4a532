"""Limits of a group on processors and memory, live, on cgroup v1, hybrid and v2 alike.

Processors are limited twice: a cpuset of whole ones, which `nproc` shows, and a quota, the share of them.
"""

import contextlib
from pathlib import Path

from lab.cgroups import Group
from lab.errors import LabError, MachineLacks
from lab.sizes import Size

PERIOD = 100_000
"""Microseconds in which the quota is counted; the kernel's own default."""
MIB = 2**20
ENDLESS = 2**60
"""Bytes; v1 says `no limit` with a number near 2**63."""


def apply(group: Group, size: Size, number: int) -> None:
    """Set what `size` says on an existing group; processes in it feel it at once.

    `number`: the server's, so that small servers don't all share the first processor. LabError when the
    memory in use can't be taken away; the processors are changed then.
    """
    if size == Size(disk_gib=size.disk_gib) and read(group) == Size():
        return  # a server without limits asks nothing of the machine
    _enable(group)
    _set_processors(group, size, number)
    _set_quota(group, size)
    _set_memory(group, size)


def read(group: Group) -> Size:
    """The limits that hold now; none where the group or the controller is not there."""
    quota = None
    if folder := _folder(group, "cpu"):
        words = _text(folder / "cpu.max") or _text(folder / "cpu.cfs_quota_us")
        first = words.split()[0] if words else "-1"
        quota = None if first in ("max", "-1") else int(first) / PERIOD
    assigned = _assigned(group)
    everything = _of_machine(group)
    if assigned and len(assigned) < len(everything) and (quota is None or quota > len(assigned)):
        quota = float(len(assigned))
    memory = None
    if folder := _folder(group, "memory"):
        words = (_text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")).strip()
        memory = int(words) // MIB if words.isdigit() and int(words) < ENDLESS else None
    return Size(quota, memory)


def held_mib(group: Group) -> int:
    """Memory that the group's processes hold, without files' cache: taking it away would kill."""
    folder = _folder(group, "memory")
    lines = _text(folder / "memory.stat").splitlines() if folder else []
    pages = {name: int(value) for name, value in (line.split(" ", 1) for line in lines)}
    if "total_rss" in pages:
        return (pages["total_rss"] + pages.get("total_shmem", 0)) // MIB
    return (pages.get("anon", 0) + pages.get("shmem", 0)) // MIB


def choose(processors: list[int], number: int, wanted: int | None) -> list[int]:
    """Which processors server `number` gets: all when `wanted` is None. The first stays when it grows."""
    first = number % len(processors)
    turned = processors[first:] + processors[:first]
    return sorted(turned if wanted is None else turned[:wanted])


def numbers(words: str) -> list[int]:
    """The numbers in the kernel's notation of a list, `0-3,8`."""
    found: list[int] = []
    for part in filter(None, words.strip().split(",")):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def _set_processors(group: Group, size: Size, number: int) -> None:
    folder = _folder(group, "cpuset")
    everything = _of_machine(group)
    if folder is None or not everything:
        return  # no cpuset controller: the quota alone limits, `nproc` shows all
    group.join_cpuset()
    chosen = choose(everything, number, size.processors)
    if chosen != _assigned(group):
        _write(folder / "cpuset.cpus", ",".join(str(each) for each in chosen))


def _set_quota(group: Group, size: Size) -> None:
    folder = _folder(group, "cpu")
    if folder is None:
        raise _lacks("cpu")
    quota = None if size.cpus is None else round(size.cpus * PERIOD)
    if (folder / "cpu.cfs_quota_us").exists():
        if _text(folder / "cpu.cfs_period_us").strip() != str(PERIOD):
            _write(folder / "cpu.cfs_period_us", str(PERIOD))
        _write(folder / "cpu.cfs_quota_us", str(-1 if quota is None else quota))
    else:
        _write(folder / "cpu.max", f"{'max' if quota is None else quota} {PERIOD}")


def _set_memory(group: Group, size: Size) -> None:
    """Memory, and no swap beside it: a server of 1 GiB is not to have the host's swap."""
    folder = _folder(group, "memory")
    if folder is None:
        raise _lacks("memory")
    limit = None if size.memory_mib is None else size.memory_mib * MIB
    if not (folder / "memory.limit_in_bytes").exists():
        _write(folder / "memory.max", "max" if limit is None else str(limit))
        if (folder / "memory.swap.max").exists():
            _write(folder / "memory.swap.max", "max" if limit is None else "0")
        return
    files = [folder / "memory.limit_in_bytes", folder / "memory.memsw.limit_in_bytes"]
    grows = limit is None or limit > int(_text(files[0]))
    for path in reversed(files) if grows else files:  # the second must never be less than the first
        if path.exists():
            _write(path, str(-1 if limit is None else limit))


def _enable(group: Group) -> None:
    """v2: hand the controllers down to the group; v1 has them everywhere."""
    root = group.layout.unified
    wanted = {"cpu", "cpuset", "memory"} - set(group.layout.v1)
    if root is None or not wanted:
        return
    folder = root
    for part in Path(group.path).parts:
        have = set(_text(folder / "cgroup.subtree_control").split())
        for controller in sorted(wanted - have):
            # What the machine's own manager does not allow is missed where the limit is written.
            with contextlib.suppress(OSError):
                (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        folder = folder / part


def _folder(group: Group, controller: str) -> Path | None:
    """The group's folder with this controller's files, None when there is none."""
    if (root := group.layout.v1.get(controller)) is not None:
        return root / group.path
    unified = group.layout.unified
    marks = {"cpu": "cpu.max", "cpuset": "cpuset.cpus", "memory": "memory.max"}
    if unified is not None and (unified / group.path / marks[controller]).exists():
        return unified / group.path
    return None


def _assigned(group: Group) -> list[int]:
    folder = _folder(group, "cpuset")
    return numbers(_text(folder / "cpuset.cpus")) if folder else []


def _of_machine(group: Group) -> list[int]:
    """The processors that the top of the hierarchy has."""
    root = group.layout.v1.get("cpuset") or group.layout.unified
    if root is None:
        return []
    names = ("cpuset.effective_cpus", "cpuset.cpus.effective", "cpuset.cpus")
    return next((found for name in names if (found := numbers(_text(root / name)))), [])


def _lacks(controller: str) -> MachineLacks:
    return MachineLacks(
        f"this machine's cgroups have no controller `{controller}` for a server",
        "run it on a whole machine, or make servers without a specification",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, words: str) -> None:
    try:
        path.write_text(words)
    except OSError as error:
        mend = "free memory in the server, choose a larger size, or stop the server for the change"
        raise LabError(f"the limit {path} = {words} was refused: {error.strerror}", mend) from error
