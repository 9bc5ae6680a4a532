"""Bring the mirror of a folder of the M EMS server up to date, by rsync over the key that can only read.

The other side is not trusted: rsync and its ssh are confined to the mirror, the links that it sends are made
dead here (munged), its owners and modes are only noted (in the extended attribute user.rsync.%stat, which
restic keeps). No file of the store that is gone there is deleted here; one of the configuration is, and stays
in older snapshots. rsync ends when this disk has no room left.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import confine
import pair as pairs
import repository

SECONDS = 6 * 3600
FASTEST = 1 << 30  # bytes a second that a pull is thought to write at most
VANISHED = 24  # rsync's exit code when a file was deleted there while it was read
# Never wanted back: who may log in comes from the inventory, what a machine is known by from itself.
NOT_CONFIG = ["shadow*", "gshadow*", "passwd-", "group-", "/ssh/ssh_host_*_key", "/machine-id"]
NOT_CONFIG += ["*.part", "/ld.so.cache", "/mtab", "/resolv.conf"]
READABLE = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
)


@dataclass
class Pulled:
    """What one pull did. `altered` are files that were there already with other contents."""

    new: int = 0
    altered: list[str] = field(default_factory=list)
    others: int = 0  # folders, links, and changes of owner or mode
    problem: str = ""

    @property
    def changed(self) -> bool:
        """Whether the mirror is another one now."""
        return bool(self.new or self.altered or self.others)


def read_changes(lines: list[str]) -> Pulled:
    """What rsync's lines of --out-format='%i %n' say."""
    pulled = Pulled()
    for line in lines:
        found = re.match(r"([<>ch.*])([fdLDS])(\S{9}) (.*)", line)
        if not found:
            continue
        direction, kind, what, name = found.groups()
        if direction == ">" and kind == "f":
            if what == "+" * 9:
                pulled.new += 1
            elif what[0] == "c" or what[1] == "s" or what[2] == "t":
                pulled.altered.append(name)
            else:
                pulled.others += 1
        else:
            pulled.others += 1
    return pulled


def command(pair: pairs.Pair, what: str, checksum: bool) -> list[str]:
    """The confined rsync that brings <state>/<what> up to date."""
    mirror = pair.folder / what
    known = [pair.folder / "known_hosts", pairs.HOME / ".ssh" / "id_pull"]
    confined = [sys.executable, "-B", str(pairs.PROGRAMS / "confine.py")]
    confined += [f"--write={path}" for path in (mirror, "/dev/null", "/dev/tty")]
    confined += [f"--read={path}" for path in (*READABLE, "/dev/urandom", *known)]
    rsync = ["/usr/bin/rsync", "-rlptgo", "--fake-super", "--munge-links", "--timeout=60"]
    rsync += ["--out-format=%i %n", f"--rsync-path={what}", f"--rsh={shlex.join(pairs.ssh(pair))}"]
    rsync += ["--checksum"] if checksum else []
    if what == "config":  # what was removed there must not come back with it
        rsync += ["--delete", "--force", *(f"--exclude={name}" for name in NOT_CONFIG)]
    # A backup that is not made is worse than one that is only held by rsync itself; verification says so.
    held = [*confined, "--"] if confine.available() else []
    return [*held, *rsync, f"{pair.known['address']}:./", f"{mirror}/"]


def pull(pair: pairs.Pair, what: str, checksum: bool = False) -> Pulled:
    """Bring it up to date. The problem, if there is one, is in the answer: what came before it counts."""
    mirror = pair.folder / what
    mirror.mkdir(mode=0o700, exist_ok=True)
    full = repository.lacks_room(mirror)
    if full:
        return Pulled(problem=f"{what}: nothing was pulled: {full}")
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as complained:
        rsync = subprocess.Popen(
            command(pair, what, checksum), stdin=subprocess.DEVNULL, stdout=said, stderr=complained, cwd="/"
        )
        stopped = _watch(rsync, mirror)
        said.seek(0)
        complained.seek(0)
        pulled = read_changes(said.read().splitlines())
        words = complained.read(100_000).strip().splitlines()[-3:]
    if stopped:
        pulled.problem = f"{what}: the pull was stopped: {stopped}"
    elif rsync.returncode not in (0, VANISHED):
        pulled.problem = f"{what}: rsync ended with {rsync.returncode}: {' / '.join(words)}"
    return pulled


def _watch(rsync: subprocess.Popen[bytes], mirror: Path) -> str:
    """Wait for its end; why it had to be ended, or nothing."""
    until, nap = time.monotonic() + SECONDS, 0.02
    while True:
        try:
            rsync.wait(nap)
            return ""
        except subprocess.TimeoutExpired:
            left, _ = repository.room(mirror)
            nap = min(nap * 2, 0.5, max(0.02, left / FASTEST))  # the less room, the closer a look
        why = repository.lacks_room(mirror)
        if not why and time.monotonic() > until:
            why = f"it took more than {SECONDS // 3600} hours"
        if why:
            rsync.terminate()
            try:
                rsync.wait(10)
            except subprocess.TimeoutExpired:
                rsync.kill()
                rsync.wait()
            return why
