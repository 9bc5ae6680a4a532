"""Servers see their own size: lxcfs answers for /proc/meminfo, /proc/cpuinfo and the like from their limits.

One lxcfs process per lab, in the lab's own cgroup, never the machine's service. Its folder is bound into each
server, where a unit that exists in /run only lays each file over the kernel's, at every boot.
Without lxcfs the limits hold all the same; `nproc` is right, `free` tells the machine's memory.
"""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lab.cgroups import Group
from lab.errors import LabError
from lab.mounts import is_mounted, sources, unmount
from lab.names import Names
from lab.waiting import run, wait_until

PROGRAM = "lxcfs"
INSIDE = Path("/var/lib/lxcfs")
FILES = ("cpuinfo", "loadavg", "meminfo", "stat", "swaps", "uptime")
PROCESSORS = "/sys/devices/system/cpu"
UNIT = "lab-view.service"

UNIT_TEXT = f"""\
[Unit]
Description=This server sees its own size
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -ec 'for each in {" ".join(FILES)}; do mount --bind {INSIDE}/proc/$$each /proc/$$each; done'
ExecStart=/bin/mount --bind {INSIDE}{PROCESSORS} {PROCESSORS}
"""

LAUNCH = """\
for group in $GROUPS_OF_VIEW; do echo $$ > "$group/cgroup.procs" || exit 70; done
exec setsid --fork lxcfs --enable-cfs --enable-loadavg -p "$PLACE.pid" -o "fsname=$SOURCE" "$PLACE" \
  </dev/null >"$PLACE.log" 2>&1
"""


def ensure(names: Names, home: Path, group: Group, say: Callable[[str], None]) -> Path | None:
    """The folder where lxcfs answers, started or mended; None, said, when it can't be had on this machine.

    `group`: the lab's.
    """
    if shutil.which(PROGRAM) is None:
        return None
    place = home / "view"
    own = group.child("view")
    if own.pids() and _answers(place):
        return place
    remove(names, group)
    place.mkdir(parents=True, exist_ok=True)
    _write_units(home)
    own.create()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GROUPS_OF_VIEW": " ".join(str(folder) for folder in own.folders()),
        "PLACE": str(place),
        "SOURCE": names.view,
    }
    try:
        run(["sh", "-c", LAUNCH, "launch"], "starting lxcfs", environment=environment)
        wait_until(lambda: _answers(place), "lxcfs to answer", 10)
    except LabError as error:
        remove(names, group)
        say(f"lxcfs does not work here, servers see this machine's memory: {error}")
        return None
    return place


def remove(names: Names, group: Group) -> None:
    """End the lab's lxcfs and what it mounted; it may not exist."""
    own = group.child("view")
    own.kill()
    for path in mounts(names):
        unmount(path)
    own.remove()


def mounts(names: Names) -> list[Path]:
    """Where a lab's lxcfs is mounted."""
    return [path for path, source in sources().items() if source == names.view]


def options(view: Path) -> list[str]:
    """What systemd-nspawn needs so that a server has the view from its first unit on."""
    units, inside = view.with_name("view-units"), "/run/systemd/system"
    wants = "sysinit.target.wants"
    return [
        f"--bind-ro={view}:{INSIDE}",
        f"--bind-ro={units / UNIT}:{inside}/{UNIT}",
        f"--bind-ro={units / wants}:{inside}/{wants}",
    ]


def is_dead(pids: set[int]) -> bool:
    """Whether a server, of which `pids` are processes, is bound to an lxcfs that was killed."""
    for pid in pids:
        try:
            Path(f"/proc/{pid}/root{INSIDE}/proc").stat()
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                return True
    return False


def _answers(place: Path) -> bool:
    if not is_mounted(place):
        return False
    try:
        return bool(run(["cat", place / "proc/meminfo"], "asking lxcfs", 10))
    except LabError:
        return False


def _write_units(home: Path) -> None:
    units = home / "view-units"
    wants = units / "sysinit.target.wants"
    wants.mkdir(parents=True, exist_ok=True)
    (units / UNIT).write_text(UNIT_TEXT)
    if not (wants / UNIT).is_symlink():
        (wants / UNIT).symlink_to(f"../{UNIT}")
