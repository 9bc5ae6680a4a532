"""Mounts of this process's namespace."""

from pathlib import Path

from lab.errors import LabError
from lab.waiting import run, wait_until


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
