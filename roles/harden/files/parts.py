"""The files of a set: what each should be, what it is, and how it is put and put back.

An entry of the set (JSON) names a `path` and what it should be:
    content, mode, owner, group     a file
    absent: true                    no file
    mode (owner, group) alone       these, where the path exists; a folder too
    transform: NAME                 its content from what is there (and from `content`), see TRANSFORMS
What a path is, is a Fact: kind (file, link, folder, absent), mode, uid, gid, target, content.
"""

import grp
import os
import pwd
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAB = "\t"
SMALLEST_MODULUS = 3071  # bits, as /etc/ssh/moduli counts them
BACKUP_BLOCK = re.compile(r"^# BEGIN amc backup$.*?^# END amc backup$\n?", re.M | re.S)


@dataclass(frozen=True)
class Fact:
    """What a path is. `content` of a file, `target` of a link."""

    kind: str
    mode: int = 0
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    target: str = ""


ABSENT = Fact("absent")


def look(path: Path) -> Fact:
    """What the path is now."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    if path.is_symlink():
        return Fact("link", uid=found.st_uid, gid=found.st_gid, target=str(path.readlink()))
    mode = found.st_mode & 0o7777
    if path.is_dir():
        return Fact("folder", mode, found.st_uid, found.st_gid)
    return Fact("file", mode, found.st_uid, found.st_gid, path.read_bytes())


def moduli(there: str, _wish: dict[str, Any]) -> str:
    """Without the groups that are too small; as it is when nothing would be left."""
    lines = there.splitlines(keepends=True)
    kept = [
        line
        for line in lines
        if line.startswith("#") or int((line.split() + ["0"] * 7)[4]) >= SMALLEST_MODULUS
    ]
    return "".join(kept) if any(not line.startswith("#") for line in kept) else there


def backup_block(there: str, wish: dict[str, Any]) -> str:
    """The wished content, with the block that role backup keeps in this file."""
    block = BACKUP_BLOCK.search(there)
    return str(wish["content"]) + (block[0] if block else "")


def settings(there: str, wish: dict[str, Any]) -> str:
    """Lines `NAME value` set to wish["settings"], each where its old line stood, or at the end."""
    text = there
    for name, value in wish["settings"].items():
        line = f"{name}{wish.get('separator', TAB)}{value}"
        text, done = re.subn(rf"^{re.escape(name)}\s.*$", line, text, count=1, flags=re.M)
        if not done:
            text = text.rstrip("\n") + f"\n{line}\n"
    return text


def after_line(there: str, wish: dict[str, Any]) -> str:
    """wish["line"] right after the first line that matches wish["after"], once."""
    if wish["line"] in there.splitlines():
        return there
    return re.sub(wish["after"], lambda found: f"{found[0]}\n{wish['line']}", there, count=1, flags=re.M)


TRANSFORMS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "moduli": moduli,
    "backup_block": backup_block,
    "settings": settings,
    "after_line": after_line,
}


def wanted(entry: dict[str, Any], there: Fact) -> Fact:
    """What the entry's path should be, given what it is. KeyError for an owner that this server lacks."""
    if entry.get("absent"):
        return ABSENT
    uid = pwd.getpwnam(entry["owner"]).pw_uid if "owner" in entry else None
    gid = grp.getgrnam(entry["group"]).gr_gid if "group" in entry else None
    mode = int(entry["mode"], 8) if "mode" in entry else None
    if "content" not in entry and "transform" not in entry:
        if there.kind not in ("file", "folder"):
            return there
        return Fact(
            there.kind, _or(mode, there.mode), _or(uid, there.uid), _or(gid, there.gid), there.content
        )
    content = str(entry.get("content", ""))
    if "transform" in entry:
        if there.kind == "absent" and "content" not in entry:
            return there
        content = TRANSFORMS[entry["transform"]](there.content.decode(errors="surrogateescape"), entry)
    made = content.encode(errors="surrogateescape")
    old = there if there.kind == "file" else Fact("file", 0o644)
    return Fact("file", _or(mode, old.mode), _or(uid, old.uid), _or(gid, old.gid), made)


def _or(wish: int | None, there: int) -> int:
    return there if wish is None else wish


def put(path: Path, wish: Fact) -> None:
    """Make the path what `wish` says; a file changes in one step."""
    if wish.kind == "absent":
        path.unlink(missing_ok=True)
        return
    if wish.kind == "folder":
        os.chown(path, wish.uid, wish.gid)
        path.chmod(wish.mode)
        return
    part = path.with_name(f".{path.name}.amc-part")
    part.unlink(missing_ok=True)
    if wish.kind == "link":
        part.symlink_to(wish.target)
    else:
        with part.open("wb") as file:
            os.fchown(file.fileno(), wish.uid, wish.gid)
            os.fchmod(file.fileno(), wish.mode)
            file.write(wish.content)
            file.flush()
            os.fsync(file.fileno())
    part.replace(path)


def missing_folders(path: Path) -> list[str]:
    """Folders above the path that have to be made, topmost first."""
    return [str(each) for each in reversed(path.parents) if not each.exists()]


def keep(path: Path, copy: Path) -> dict[str, Any]:
    """A copy of what the path is now, and what is needed to bring it back exactly."""
    there = look(path)
    if there.kind == "file":
        shutil.copy2(path, copy)
        copy.chmod(0o600)
    times = [path.lstat().st_atime_ns, path.lstat().st_mtime_ns] if there.kind != "absent" else []
    return {
        "path": str(path),
        "copy": str(copy),
        "kind": there.kind,
        "mode": there.mode,
        "uid": there.uid,
        "gid": there.gid,
        "target": there.target,
        "times": times,
    }


def kept(record: dict[str, Any]) -> Fact:
    """The Fact of a record of `keep`."""
    content = Path(record["copy"]).read_bytes() if record["kind"] == "file" else b""
    return Fact(record["kind"], record["mode"], record["uid"], record["gid"], content, record["target"])


def bring_back(record: dict[str, Any]) -> None:
    """Make the path what it was; its times too."""
    path = Path(record["path"])
    was = kept(record)
    if was.kind == "absent" and not path.parent.exists():
        return
    if look(path) != was:
        path.parent.mkdir(parents=True, exist_ok=True)
        put(path, was)
    if was.kind == "file":
        os.utime(path, ns=(record["times"][0], record["times"][1]))
