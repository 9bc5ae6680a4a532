"""The wheelhouse: Python packages that roles install, downloaded once, bound read-only into servers.

All wheels lie in one folder, so that servers that run see new ones too. `<hash>.complete` marks a
requirements file whose wheels are all there.
"""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lab.errors import LabError, MachineLacks
from lab.host import SUITE
from lab.locks import file_lock
from lab.waiting import run

PYTHON_OF_SUITE = {"bookworm": "3.11"}
DOWNLOAD_SECONDS = 600


def ensure(cache: Path, requirements: Iterable[Path], say: Callable[[str], None]) -> Path:
    """The wheelhouse, with every wheel that `requirements` (pinned with hashes) name."""
    house = cache / "wheels"
    house.mkdir(parents=True, exist_ok=True)
    for file in requirements:
        done = house / f"{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}.complete"
        if done.exists():
            continue
        with file_lock(house / "lock", "another command to download wheels", DOWNLOAD_SECONDS, say):
            if not done.exists():
                say(f"wheels: downloading what {file.name} names")
                _download(house, file)
                done.touch()
    return house


def _download(house: Path, requirements: Path) -> None:
    """Download beside the wheelhouse and rename each file: half a wheel is never found."""
    for stale in house.glob("downloading-*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix="downloading-", dir=house))
    try:
        pip = [_python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        pip += [
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            f"--python-version={PYTHON_OF_SUITE[SUITE]}",
        ]
        pip += ["--find-links", str(house), "--dest", str(work), "--requirement", str(requirements)]
        run(pip, f"downloading the wheels of {requirements}", DOWNLOAD_SECONDS)
        for wheel in work.iterdir():
            wheel.rename(house / wheel.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _python_with_pip() -> str:
    """An interpreter that really has pip: a virtual environment may have been made without."""
    for candidate in (sys.executable, "python3", "/usr/bin/python3"):
        try:
            run([candidate, "-m", "pip", "--version"], "looking for pip")
        except LabError:
            continue
        return candidate
    raise MachineLacks("no Python with pip to download the servers' packages", "apt-get install python3-pip")
