"""The restic repository of one M EMS server: snapshots of its file store and of its configuration.

It lies in <state>/restic. Its password lies in <state>/restic-password and in the controller's secrets,
nowhere else. Snapshots carry the server as host and `store` or `config` as tag, and hold names relative to
that folder. A snapshot's time is the moment when the pull behind it began: all that was there then is in it.
One of a pull that broke off is tagged `partial` too, and goes when a whole one follows.

Locks are ours (flock, gone with the process): `pulling` for a mirror, `repository` for what changes the
repository. restic's own say nothing about waiting, and are only swept up here when their process is gone.
"""

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pair as pairs

RESTIC = "/usr/bin/restic"
INCOMPLETE = 3  # restic's exit code when it could not read some files
RESERVE_SHARE, RESERVE_BYTES = 0.05, 10 * 1024**3


class Busy(pairs.Trouble):
    """Another program works on the same thing."""


@dataclass(frozen=True)
class Snapshot:
    """One snapshot; `tags` of store, config, partial."""

    id: str
    at: datetime
    tags: frozenset[str]


@contextmanager
def lock(pair: pairs.Pair, what: str, seconds: float) -> Iterator[None]:
    """Hold the pair's lock of that name, waited for that long. Busy when another program holds it."""
    until = time.monotonic() + seconds
    with (pair.folder / f"{what}.lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    words = f"another program has been {what} for {pair.server} for {seconds:.0f} s"
                    raise Busy(f"{words}: wait for it, see systemctl list-units 'amc-*'") from None
                time.sleep(0.1)
        yield


def command(pair: pairs.Pair, *words: str) -> list[str]:
    """restic on the pair's repository."""
    folder = pair.folder
    where = ["--repo", str(folder / "restic"), "--password-file", str(folder / "restic-password")]
    return [RESTIC, *where, "--cache-dir", str(folder / "cache"), "--quiet", *words]


def call(
    pair: pairs.Pair, *words: str, seconds: float = 3600, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run restic, whatever its exit code. Trouble when it takes longer than `seconds`."""
    environment = {"PATH": "/usr/bin:/bin", "TZ": "UTC", "HOME": str(pair.folder), "LANG": "C.UTF-8"}
    try:
        return subprocess.run(
            command(pair, *words),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            cwd=folder or "/",
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise pairs.Trouble(f"restic {words[0]} of {pair.server}: no end after {seconds:.0f} s") from None


def ask(pair: pairs.Pair, *words: str, seconds: float = 3600) -> str:
    """What restic prints. Trouble with its own words when it fails."""
    done = call(pair, *words, seconds=seconds)
    if done.returncode != 0:
        raise pairs.Trouble(f"restic {words[0]} of {pair.server}: {last_words(done)}")
    return done.stdout


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The end of what restic complained about, on one line."""
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
    return " / ".join(line.strip() for line in said) or f"exit code {done.returncode}"


def ready(pair: pairs.Pair) -> None:
    """Make the repository where there is none; sweep up locks of processes that are gone.

    Trouble when one is there that the password does not open.
    """
    if not (pair.folder / "restic" / "config").exists():
        half = pair.folder / "restic"
        if half.exists() and any((half / "snapshots").glob("*")):
            raise pairs.Trouble(
                f"the repository {half} has snapshots and no config file: don't make a new one over it,"
                " restore its config and keys from a copy"
            )
        shutil.rmtree(half, ignore_errors=True)  # an init that was cut short
        ask(pair, "init")
    if any((pair.folder / "restic" / "locks").iterdir()):
        ask(pair, "unlock")


def snapshots(pair: pairs.Pair) -> list[Snapshot]:
    """All of them, oldest first."""
    listed = json.loads(ask(pair, "snapshots", "--json", "--no-lock") or "[]")
    found = [
        Snapshot(each["id"], datetime.fromisoformat(each["time"]), frozenset(each.get("tags") or []))
        for each in listed or []
    ]
    return sorted(found, key=lambda snapshot: snapshot.at)


def take(pair: pairs.Pair, what: str, began: datetime, partial: bool) -> tuple[str, pairs.Record]:
    """A snapshot of the mirror `what` (store, config): its id and restic's summary. Trouble if it fails."""
    words = ["backup", "--json", "--host", pair.server, "--tag", f"{what},partial" if partial else what]
    words += ["--time", began.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"), "."]
    done = call(pair, *words, folder=pair.folder / what)
    summary = next(
        (line for line in reversed(done.stdout.splitlines()) if '"message_type":"summary"' in line), None
    )
    if summary is None or done.returncode not in (0, INCOMPLETE):
        raise pairs.Trouble(f"restic makes no snapshot of {pair.server}'s {what}: {last_words(done)}")
    found: pairs.Record = json.loads(summary)
    whole = next((pair.folder / "restic" / "snapshots").glob(f"{found['snapshot_id']}*")).name
    if done.returncode == INCOMPLETE:
        raise pairs.Trouble(
            f"the snapshot {whole[:8]} of {pair.server}'s {what} lacks files: {last_words(done)}"
        )
    return whole, found


def forget(pair: pairs.Pair, ids: list[str], prune: bool) -> None:
    """Let go of these snapshots; with `prune` also of the data that only they held."""
    for first in range(0, len(ids), 500):
        ask(pair, "forget", *ids[first : first + 500])
    if prune:
        ask(pair, "prune", "--max-unused", "5%", seconds=6 * 3600)


def room(folder: Path) -> tuple[int, int]:
    """(bytes that may still be written here, bytes always kept free beside them).

    Some is kept free, so that one server's files never stop another server's WAL. Negative when it is in use.
    """
    disk = os.statvfs(folder)
    reserve = min(int(disk.f_blocks * disk.f_frsize * RESERVE_SHARE), RESERVE_BYTES)
    return disk.f_bavail * disk.f_frsize - reserve, reserve


def lacks_room(folder: Path) -> str:
    """Why nothing may be written here any more, in words; empty while there is room."""
    left, reserve = room(folder)
    if left >= 0:
        return ""
    return (
        f"the disk of {folder} has {left + reserve >> 20} MiB free, "
        f"{reserve >> 20} MiB are kept for the database's WAL"
    )
