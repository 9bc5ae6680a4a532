"""Mounts of this process's namespace."""

import shutil
from pathlib import Path

from lab.errors import LabError
from lab.waiting import run, wait_until

NSPAWN = Path("/run/systemd/nspawn")
"""systemd-nspawn's folders for machines; killed, it leaves them, newer versions with a mount in them."""


def sources() -> dict[Path, str]:
    """Mount points with their sources, as /proc/self/mounts shows them."""
    lines = (line.split(" ") for line in Path("/proc/self/mounts").read_text().splitlines())
    return {Path(words[1].replace("\\040", " ")): words[0] for words in lines}


def is_mounted(path: Path) -> bool:
    """Whether something is mounted exactly at `path`."""
    return path in sources()


def unmount(path: Path, seconds: float = 15) -> None:
    """Unmount `path` as often as it is mounted; a process on its way out may hold it a moment longer."""

    def gone() -> bool:
        if not is_mounted(path):
            return True
        try:
            run(["umount", path], f"unmounting {path}")
        except LabError:
            return False
        return not is_mounted(path)

    wait_until(gone, f"{path} to be free for unmounting", seconds)


def unmount_everywhere(folder: Path) -> None:
    """Unmount `folder` here and in all other mount namespaces, and remove it.

    Every systemd-nspawn keeps copies of the mounts that were there when it started, out of everybody's sight:
    they would hold another server's disk. With the folder under them they go, wherever they are.
    """
    unmount(folder)
    if folder.is_dir():
        folder.rmdir()


def machine_folders(machine: str) -> list[Path]:
    """What systemd-nspawn keeps for a machine."""
    return sorted(NSPAWN.glob(f"*/{machine}"))


def remove_machine_folders(machine: str) -> None:
    """Remove what a killed systemd-nspawn left."""
    for folder in machine_folders(machine):
        unmount(folder)
        shutil.rmtree(folder, ignore_errors=True)
