"""Saved layers: what was done in a server on top of the base image, to start further servers from.

cache/layers/<image key>/<layer key>/tree        the files
cache/layers/<image key>/<layer key>/below.json  layers it stands on, uppermost first
A layer belongs to one base image; with another image it does not exist.
"""

import json
import re
import tempfile
from pathlib import Path

from lab.errors import LabError
from lab.image import USER
from lab.locks import file_lock
from lab.pruning import mark_used
from lab.waiting import run

SAVE_SECONDS = 300

KEY = re.compile(r"[A-Za-z0-9._-]{1,80}")

IDENTITY = (
    "etc/hostname",
    "etc/hosts",
    "etc/resolv.conf",
    "etc/machine-id",
    "etc/systemd/network/10-host0.network",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_ed25519_key.pub",
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    f"home/{USER}/.ssh/authorized_keys",
)
"""Files that make a server that server and no other."""


def folder(cache: Path, image: str, key: str) -> Path:
    """Where a layer lies; LabError for a key that is no plain name."""
    if not KEY.fullmatch(key) or key.startswith((".", "saving-")) or key == "lock":
        raise LabError(f"{key!r} is no name for a layer", "use letters, digits, dots, dashes, at most 80")
    return cache / "layers" / image / key


def exists(cache: Path, image: str, key: str) -> bool:
    """Whether the layer is there, complete, for this image."""
    return (folder(cache, image, key) / "below.json").exists()


def lowers(cache: Path, image: str, key: str | None) -> tuple[Path, ...]:
    """The folders below a server's own files, uppermost first, ending with the base image."""
    if not (cache / "images" / image).is_dir():
        raise LabError(f"base image {image} is gone from the cache", "destroy its servers, make them anew")
    if key is None:
        return (cache / "images" / image,)
    if not exists(cache, image, key):
        raise LabError(
            f"there is no layer {key!r} on base image {image}", "save it again, or go on without a layer"
        )
    below: list[str] = json.loads((folder(cache, image, key) / "below.json").read_text())
    for each in (key, *below):
        mark_used(folder(cache, image, each))
    trees = tuple(folder(cache, image, each) / "tree" for each in (key, *below))
    return (*trees, cache / "images" / image)


def save(cache: Path, image: str, key: str, upper: Path, on: str | None) -> None:
    """Keep a halted server's own files as layer `key`, on top of layer `on`; one that exists is kept.

    Copied beside its place and renamed: half a layer never carries the key.
    """
    target = folder(cache, image, key)
    below: list[str] = []
    if on is not None:
        below = [on, *json.loads((folder(cache, image, on) / "below.json").read_text())]
    target.parent.mkdir(parents=True, exist_ok=True)
    (cache / "layers").chmod(0o700)
    with file_lock(target.parent / "lock", "another command to save a layer", SAVE_SECONDS, _silent):
        for stale in target.parent.glob("saving-*"):
            run(["rm", "-rf", "--one-file-system", stale], "removing a copy that was interrupted", 120)
        if target.exists():
            return
        work = Path(tempfile.mkdtemp(prefix="saving-", dir=target.parent))
        run(["cp", "-a", upper, work / "tree"], f"copying layer {key}", SAVE_SECONDS)
        for name in IDENTITY:
            (work / "tree" / name).unlink(missing_ok=True)
        (work / "below.json").write_text(json.dumps(below))
        work.chmod(0o755)
        work.rename(target)
        mark_used(target)


def _silent(_: str) -> None:
    """The wait is short; the lab says what it saves."""
