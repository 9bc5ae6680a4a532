"""The cache does not grow for ever: images and layers that nobody used for days are removed."""

import re
from collections.abc import Callable
from pathlib import Path

from lab.waiting import run

KEPT_SECONDS = 3 * 86400


def mark_used(folder: Path) -> None:
    """Note that an image or a layer is used now."""
    _mark(folder).touch()


def prune(cache: Path, now: float, say: Callable[[str], None]) -> None:
    """Remove images and layers last used KEPT_SECONDS before `now` (seconds since 1970), unless mounted.

    A server that is stopped for longer and whose image went cannot be started again: it is made anew.
    """
    mounted = set(re.split(r"[:,= \n]", Path("/proc/self/mounts").read_text()))
    for folder in [*(cache / "images").glob("*/"), *(cache / "layers").glob("*/*/")]:
        mark = _mark(folder)
        if not mark.exists() or now - mark.stat().st_mtime < KEPT_SECONDS:
            continue
        if mounted & {str(folder), str(folder / "tree")}:
            continue
        say(f"cache: removing {folder.name}, unused for {(now - mark.stat().st_mtime) / 86400:.0f} days")
        mark.unlink()
        run(["rm", "-rf", "--one-file-system", folder], f"removing {folder}", 120)


def _mark(folder: Path) -> Path:
    """Beside the folder: an image's own times are part of it."""
    return folder.with_name(f"{folder.name}.used")
