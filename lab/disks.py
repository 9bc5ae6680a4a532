"""A server's disk of its own: a filesystem in a sparse file on a loop device; `df /` inside tells its size.

<folder>/amc-<lab>-<number>.img       the file; by its name its loop device is found without any records
<folder>/amc-<lab>-<number>.img.new   a half-made one: it is made anew
<folder>/disk                         where it is mounted while the server runs; holds upper and work

It is XFS, which grows while it is mounted; ext4 would need CAP_SYS_RESOURCE for that, which not every
machine gives. On a kernel without XFS it is ext4 and grows only while the server is stopped. The loop device
clears itself when it is unmounted, whoever was killed meanwhile.
"""

import contextlib
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.mounts import is_mounted, sources, unmount_everywhere
from lab.names import Names
from lab.waiting import run, wait_until

GIB = 2**30
SPARE = 1.1
"""What is moved to a disk must fit with a tenth to spare: a filesystem needs room for itself."""
MOVE_SECONDS = 600
LOOP_MAJOR = 7


@dataclass(frozen=True)
class Disk:
    """The disk of server `number` in the server's `folder`."""

    names: Names
    number: int
    folder: Path

    @property
    def image(self) -> Path:
        """The sparse file."""
        return self.folder / f"{self.names.mount(self.number)}.img"

    @property
    def place(self) -> Path:
        """Where it is mounted."""
        return self.folder / "disk"

    def exists(self) -> bool:
        """Whether the server has a disk of its own."""
        with contextlib.suppress(PermissionError):  # the folder is root's, who asks is not
            return self.image.exists()
        return False

    def gib(self) -> int | None:
        """Its size as the server has it; None: it has none of its own."""
        if not self.exists():
            return None
        if is_mounted(self.place) and not self._is_ext4():
            shown = os.statvfs(self.place)  # a little less than the disk: the journal is not counted
            return -(-shown.f_blocks * shown.f_frsize // GIB)
        return self.image.stat().st_size // GIB

    def mount(self, gib: int) -> Path:
        """Mount it, grown to `gib` if it is smaller; made first where there is none, with the files that the
        server has. The folder with upper and work; it may be mounted already."""
        if not self.exists():
            self._make(gib)
        shutil.rmtree(self.folder / "upper", ignore_errors=True)  # what was moved
        self.grow(gib)
        if not is_mounted(self.place):
            self._attach(self.image)
            self._fill()
        return self.place

    def grow(self, gib: int) -> None:
        """Make it larger, mounted or not; one that is as large stays. Called again it goes on where it was
        killed. LabError for ext4 in use."""
        if not is_mounted(self.place):
            self._stretch(gib)
            if self._is_ext4():
                self._fill_ext4()
            return
        if self._is_ext4():
            if self.image.stat().st_size < gib * GIB:
                raise LabError(
                    f"{self.image.name}: this machine's kernel has no XFS; ext4 does not grow in use here",
                    "stop the server for the change (server_stop_to_resize: true)",
                )
            return
        self._stretch(gib)
        run(["losetup", "--set-capacity", sources()[self.place]], "telling the kernel the disk's new size")
        self._fill()

    def unmount(self) -> None:
        """Unmount it; its loop device goes with that."""
        unmount_everywhere(self.place)

    def _make(self, gib: int) -> None:
        """A new disk with what lies in the folder's own upper layer, which goes once the disk is complete."""
        files = self.folder / "upper"
        if (held := _bytes_below(files)) * SPARE > gib * GIB:
            raise LabError(
                f"a disk of {gib} GiB is too small for the {held / GIB:.1f} GiB of files in the server",
                f"choose {int(held * SPARE / GIB) + 1} GiB or more",
            )
        new = self.image.with_name(f"{self.image.name}.new")
        self.unmount()
        new.unlink(missing_ok=True)
        with new.open("wb") as file:
            file.truncate(gib * GIB)
        kind = "xfs" if kernel_has("xfs") else "ext4"
        run(["mkfs.xfs" if kind == "xfs" else "mkfs.ext4", "-q", new], "making the disk's filesystem")
        self._attach(new)
        if files.is_dir():
            run(["cp", "-a", files, self.place], "moving the server's files to its disk", MOVE_SECONDS)
        else:
            (self.place / "upper").mkdir(mode=0o755)
        self.unmount()
        new.rename(self.image)

    def _attach(self, image: Path) -> None:
        self.place.mkdir(exist_ok=True)
        make_nodes()
        run(["mount", "-o", "loop", image, self.place], f"mounting the disk {image.name}")

    def _stretch(self, gib: int) -> None:
        if self.image.stat().st_size < gib * GIB:
            os.truncate(self.image, gib * GIB)

    def _fill(self) -> None:
        if not self._is_ext4():
            run(["xfs_growfs", self.place], "growing the disk's filesystem")

    def _fill_ext4(self) -> None:
        shown = run(["dumpe2fs", "-h", self.image], "looking at the disk's filesystem")
        count, size = (
            int(re.findall(rf"^{name}: *(\d+)", shown, re.MULTILINE)[0])
            for name in ("Block count", "Block size")
        )
        if count * size < self.image.stat().st_size:
            run(["e2fsck", "-fp", self.image], "checking the disk before it grows", MOVE_SECONDS)
            run(["resize2fs", self.image], "growing the disk's filesystem", MOVE_SECONDS)

    def _is_ext4(self) -> bool:
        with self.image.open("rb") as file:
            return file.read(4) != b"XFSB"


def attached(names: Names) -> dict[str, int]:
    """Loop devices of a lab (`/dev/loop3`) with their servers' numbers, by the files behind them."""
    found = {}
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # cleared meanwhile
            file = Path(path.read_text().strip().removesuffix(" (deleted)")).name
            number = names.number_of(file.removesuffix(".new").removesuffix(".img"))
            if number is not None:
                found[f"/dev/{path.parents[1].name}"] = number
    return found


def detach(device: str) -> None:
    """Free a loop device whose filesystem is not mounted any more."""

    def gone() -> bool:
        backing = Path("/sys/block", Path(device).name, "loop/backing_file")
        with contextlib.suppress(LabError):  # cleared by itself meanwhile, or used for a moment longer
            if backing.exists():
                run(["losetup", "--detach", device], f"freeing {device}")
        return not backing.exists()

    wait_until(gone, f"{device} to be free", 15)


def make_nodes() -> None:
    """The device files that the next loop device needs: not every container's /dev shows new ones."""
    control = Path("/dev/loop-control")
    if not control.exists():
        os.mknod(control, 0o660 | stat.S_IFCHR, os.makedev(10, 237))
    device = Path(run(["losetup", "--find"], "finding a free loop device").strip())
    if not device.exists():
        number = int(device.name.removeprefix("loop"))
        with contextlib.suppress(FileExistsError):
            os.mknod(device, 0o660 | stat.S_IFBLK, os.makedev(LOOP_MAJOR, number))


def kernel_has(filesystem: str) -> bool:
    """Whether the kernel can mount it; a module is asked for."""

    def listed() -> bool:
        return filesystem in Path("/proc/filesystems").read_text().split()

    if not listed():
        with contextlib.suppress(LabError):  # no modprobe, or no such module: then it has none
            run(["modprobe", filesystem], f"asking the kernel for {filesystem}")
    return listed()


def _bytes_below(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return int(run(["du", "-s", "-B1", folder], "measuring the server's files", MOVE_SECONDS).split()[0])
