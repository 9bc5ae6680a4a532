"""Twelve ways in which a backup goes bad, each with what makes it so, what mends it, and what is to be found.

Bytes are flipped without a trace in the file's times, as a disk does it. `full` says that only reading
everything finds it at once; the nightly verification reads a seventh of it each night, all within a week.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from backed_up import BACKUP, CATALOGUE, MEMS, STATE, Pair

FLIP = """
import os, sys
path, at = sys.argv[1], float(sys.argv[2])
kept = os.stat(path)
at = int(at if at >= 1 else kept.st_size * at)
with open(path, "r+b") as file:
    file.seek(at); byte = file.read(1); file.seek(at); file.write(bytes([byte[0] ^ 0x40]))
os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
"""
BASE = f"$(ls -d {CATALOGUE}/base/*/ | tail -1)data"
SEGMENT = f"$(find {CATALOGUE}/wals -regextype posix-extended -regex '.*/[0-9A-F]{{24}}' | sort | tail -1)"
PACK = f"$(find {STATE}/restic/data -type f -size +20k | sort | head -1)"
NO_MEND = ":"
FAKETIME = "command -v faketime || { apt-get -qq update; apt-get -qq -y install faketime; } >/dev/null 2>&1"


@dataclass(frozen=True)
class Corruption:
    """`spoil` and `mend` are root's scripts on the backup server, or functions of the pair."""

    name: str
    spoil: str | Callable[[Pair], None]
    mend: str | Callable[[Pair], None]
    what: str  # the finding's word
    full: bool = False
    bad: bool = False  # the newest base backup is marked bad
    prefix: tuple[str, ...] = ()  # what verify.py is started with

    def do(self, pair: Pair, step: str | Callable[[Pair], None]) -> None:
        """Spoil or mend."""
        if isinstance(step, str):
            pair.root(BACKUP, step)
        else:
            step(pair)


def flip(path: str, at: float) -> str:
    """Flip a bit at this share of the file, or at this byte; a second time, back."""
    return f"python3 - {path} {at} <<'EOF'{FLIP}EOF\n"


def lose_slot(pair: Pair) -> None:
    """The backup server is away while more WAL comes than the M EMS server keeps for it."""
    pair.root(BACKUP, f"systemctl stop barman-cron.timer barman-wal@{MEMS}")
    pair.root(BACKUP, f"runuser -u barman -- barman receive-wal --stop {MEMS} || true")
    switches = "for _ in 1 2 3 4 5 6; do psql -XAtqc 'SELECT pg_switch_wal()' >/dev/null; "
    pair.root(
        MEMS,
        'cd /; sudo -u postgres sh -c "psql -XAtqc \\"ALTER SYSTEM SET max_slot_wal_keep_size = \'32MB\'\\"; '
        "psql -XAtqc 'SELECT pg_reload_conf()'\" >/dev/null\n"
        f"sudo -u postgres sh -c \"{switches} psql -XAtqc 'CREATE TABLE lost(); DROP TABLE lost'; "
        'psql -XAtqc CHECKPOINT; done"',
    )


def repair_slot(pair: Pair) -> None:
    """The next backup begins a new chain."""
    pair.root(
        MEMS,
        "cd /; sudo -u postgres sh -c \"psql -XAtqc 'ALTER SYSTEM RESET max_slot_wal_keep_size';"
        " psql -XAtqc 'SELECT pg_reload_conf()'\" >/dev/null",
    )
    pair.root(BACKUP, f"systemctl start barman-cron.timer barman-wal@{MEMS}")
    next_backup(pair)


def next_backup(pair: Pair) -> None:
    """What the next night does."""
    made = pair.program("backup")
    assert made["ok"], made["problems"]


def rot_mirror(pair: Pair) -> None:
    """A file of the mirror rots, gets into the next snapshot, and M EMS's figures are other ones."""
    pair.root(BACKUP, flip(f"$(find {STATE}/store -type f | sort | head -1)", 0.5))
    pair.root(MEMS, "runuser -u mems -- sh -c 'echo new > /srv/mems/files/mems/new'")
    marked = pair.program("mark")
    assert marked["ok"], marked["problems"]


def mend_mirror(pair: Pair) -> None:
    """What the finding says: compare contents, mark again."""
    pulled = pair.program("files", "--checksum")
    assert pulled["altered"] == 1, pulled
    assert pair.program("mark")["ok"]


# A small disk of its own in its place, never this one: it is the host's.
FILL = f"""
mkdir /full
mount -t tmpfs -o size=200m,mode=0700 tmpfs /full
cp -a {STATE}/. /full/
chown barman: /full
mount --bind /full {STATE}
umount /full
rmdir /full
mountpoint -q {STATE}
head -c 190M /dev/zero > {STATE}/filler || true
"""
KILL_BACKUP = f"""
before=$(ls {CATALOGUE}/base)
runuser -u barman -- barman backup {MEMS} >/dev/null 2>&1 &
for _ in $(seq 200); do
  new=$(comm -13 <(echo "$before") <(ls {CATALOGUE}/base) | head -1)
  [ -z "$new" ] || [ ! -d {CATALOGUE}/base/$new/data/base ] || break
  sleep 0.05
done
[ -n "$new" ]
for pid in $(pgrep -u barman -f 'pg_basebackup|barman backup'); do kill -9 $pid 2>/dev/null || true; done
"""
CORRUPTIONS = [
    Corruption(
        "a byte of a base backup's file",
        flip(f"$(find {BASE}/base -type f -size +100k | sort | head -1)", 0.5),
        flip(f"$(find {BASE}/base -type f -size +100k | sort | head -1)", 0.5),
        "base",
        full=True,
        bad=True,
    ),
    Corruption(
        "a byte of the manifest",
        flip(f"{BASE}/backup_manifest", 0.5),
        flip(f"{BASE}/backup_manifest", 0.5),
        "base",
        True,
        True,
    ),
    Corruption("a byte of archived WAL", flip(SEGMENT, 120), flip(SEGMENT, 120), "wal-damaged", True, True),
    Corruption(
        "a missing WAL segment",
        f"mv {SEGMENT} /var/lib/barman/kept-segment",
        f"name=$(awk 'END {{print $1}}' {CATALOGUE}/wals/*xlog.db); mv /var/lib/barman/kept-segment"
        f" {CATALOGUE}/wals/${{name:0:16}}/$name",
        "wal-missing",
        bad=True,
    ),
    Corruption(
        "a byte of a pack of the repository", flip(PACK, 0.5), flip(PACK, 0.5), "repository", full=True
    ),
    Corruption(
        "a pack cut short",
        f"cp -a {PACK} /var/lib/barman/kept-pack; echo {PACK} > /var/lib/barman/kept-name;"
        f" truncate -s -1000 {PACK}",
        "cp -a --remove-destination /var/lib/barman/kept-pack $(cat /var/lib/barman/kept-name)",
        "repository",
    ),
    Corruption(
        "another password",
        f"cp -a {STATE}/restic-password {STATE}/kept; echo other > {STATE}/restic-password",
        f"mv {STATE}/kept {STATE}/restic-password",
        "key",
    ),
    Corruption("files that differ from the figures", rot_mirror, mend_mirror, "figures"),
    Corruption("a full disk", FILL, f"umount -l {STATE}", "disk"),
    Corruption("clocks that differ", FAKETIME, NO_MEND, "clock", prefix=("faketime", "-f", "+3s")),
    Corruption(
        "half a base backup",
        KILL_BACKUP,
        next_backup,
        "half",
    ),
    Corruption("a lost slot", lose_slot, repair_slot, "slot"),
]


def found(pair: Pair, corruption: Corruption) -> list[str]:
    """Spoil, verify, mend, verify again: the words of what was found. AssertionError for what is not as it
    should be: it is not found, another base backup is marked bad, or it is still found when it is mended.
    """
    corruption.do(pair, corruption.spoil)
    try:
        answer = pair.program("verify", *(["--full"] if corruption.full else []), prefix=corruption.prefix)
        bad = pair.root(BACKUP, f"cat {STATE}/bad_backups.json 2>/dev/null || echo '{{}}'")
    finally:
        corruption.do(pair, corruption.mend)
    words = [each["words"] for each in answer["findings"] if each["what"] == corruption.what]
    assert words, f"{corruption.name}: not found: {answer}"
    assert not corruption.bad or len(json.loads(bad)) == 1, f"{corruption.name}: bad_backups.json says {bad}"
    after = pair.program("verify", *(["--full"] if corruption.full else []))
    assert after["ok"], f"{corruption.name}: after the mend: {after['problems']}"
    return words
