"""The base image is built whole or not at all."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import image
from lab.waiting import wait_until

BUILD = "import sys; from pathlib import Path; from lab import image; image.ensure(Path(sys.argv[1]), print)"


def working_on(folder: Path) -> list[str]:
    """Command lines of processes that name the folder, or stand or have their root in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            places = (str((process / link).readlink()) for link in ("cwd", "root"))
            if str(folder) in words or any(place.startswith(str(folder)) for place in places):
                found.append(words)
        except OSError:  # it ended meanwhile
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_build_leaves_no_image_and_no_process(tmp_path: Path, how: signal.Signals) -> None:
    """Killed or interrupted amid mmdebstrap: nothing runs on, nothing is mounted, no folder carries the key.

    After SIGINT not even the half is left; after kill -9 it waits for the next build, which removes it: then
    this test starts one more.
    """
    images = tmp_path / "images"
    for _ in range(2 if how is signal.SIGKILL else 1):
        builder = subprocess.Popen([sys.executable, "-c", BUILD, tmp_path], stderr=subprocess.DEVNULL)
        half = wait_until(
            lambda: [*images.glob("building-*/work/root/etc")] or built_in_memory(images), "mmdebstrap", 60
        )
        time.sleep(1.5)
        assert working_on(half[0].parents[0])
        builder.send_signal(how)
        builder.wait(timeout=30)
        wait_until(lambda: not working_on(images), "the build's processes to end", 10)
        assert str(images) not in Path("/proc/self/mounts").read_text()
        assert not (images / image.current_key()).exists()
        assert len([*images.glob("building-*")]) == (1 if how is signal.SIGKILL else 0)


def built_in_memory(images: Path) -> list[Path]:
    """The build's folder, once mmdebstrap works in it: its memory disk is not to be seen from outside."""
    return [
        path
        for path in images.glob("building-*/work")
        if any("mmdebstrap" in words for words in working_on(path))
    ]
