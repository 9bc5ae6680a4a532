"""Verification of the repository with files and configuration, and of the figures that marks noted.

`restic check` reads the structure and finds packs that are gone or cut short; a byte that flipped is found
only by reading all data, a seventh of it each night, everything with --full.
"""

import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath

import confine
import files
import pair as pairs
import repository
from finding import Finding

CHECK_SECONDS = 12 * 3600
OLD_PULL = timedelta(minutes=10)
OLD_MARK = timedelta(hours=3)
NIGHTLY_BYTES = 2 * 1024**3
WRONG_KEY = "wrong password or no key found"
BROKEN = (
    "move restic/ aside, for what can still be read of older moments; rm *.dirty files.json; run files.py"
    " --what store and --what config: the mirrors are whole, and a new repository is made of them"
)


def check(pair: pairs.Pair, turn: int | None) -> Iterator[Finding]:
    """Structure, and the data's seventh of this turn (0-6); all data with None.

    Without a lock at first, so that the minute's pulls go on; what looks wrong is looked at again with one.
    """
    data = "--read-data" if turn is None else f"--read-data-subset={turn + 1}/7"
    done = repository.call(pair, "check", "--no-lock", data, seconds=CHECK_SECONDS)
    if done.returncode != 0 and WRONG_KEY not in done.stderr:
        with repository.lock(pair, "repository", files.WAIT_SECONDS):
            repository.call(pair, "unlock")
            done = repository.call(pair, "check", data, seconds=CHECK_SECONDS)
    if done.returncode == 0:
        return
    if WRONG_KEY in done.stderr:
        yield Finding(
            "key",
            "the password here does not open the repository of files: it is another one, or its key is lost",
            "run playbooks/backup.yml for this server: it brings the password of the controller's secrets. If"
            " that one does not open it either, restic/keys is lost: " + BROKEN,
        )
    else:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        wrong = [
            line for line in said if "rror" in line or "does not" in line or "unexpected" in line
        ] or said
        yield Finding(
            "repository", "the repository of files is damaged: " + " / ".join(wrong[-3:])[:600], BROKEN
        )


def pulls(pair: pairs.Pair, moment: datetime) -> Iterator[Finding]:
    """Are the files pulled, and was something written again that is written once?"""
    known = (pairs.read_json(files.state_file(pair)) or {}).get("store")
    if not known:
        yield Finding(
            "files", "the file store was never pulled", f"systemctl status amc-backup-files@{pair.server}"
        )
    elif moment - datetime.fromisoformat(known["pulled"]) > OLD_PULL:
        yield Finding(
            "files",
            f"the file store was last pulled whole at {known['pulled']}",
            f"journalctl -u amc-backup-files@{pair.server}",
        )
    if not confine.available():
        words = "this kernel has no Landlock: rsync is not confined when it talks to the M EMS server"
        yield Finding(
            "unconfined", words, "a kernel of Debian 12, with landlock in its list of LSMs", note=True
        )
    for each in pairs.read_lines(pair.folder / "altered.jsonl"):
        if moment - datetime.fromisoformat(each["at"]) <= timedelta(days=pair.known["retention_days"]):
            names = ", ".join(each["names"][:3])
            yield Finding(
                "altered",
                f"at {each['at']} {each['count']} files of the store had other contents than"
                f" before, though they are written once: {names}",
                "ask who did that; snapshots from before hold the old contents",
                note=True,
            )


def marks(pair: pairs.Pair, moment: datetime, full: bool) -> Iterator[Finding]:
    """Is there a recent mark, and do the files of its snapshot add up to what M EMS counted then?"""
    noted = pairs.read_lines(pair.folder / "marks.jsonl")
    again = "systemctl reset-failed {0}; systemctl start {0}".format(f"amc-backup-mark@{pair.server}")
    if not noted:
        yield Finding(
            "marks",
            "no moment with known figures was marked yet",
            again,
        )
        return
    if moment - datetime.fromisoformat(noted[-1]["at"]) > OLD_MARK:
        yield Finding(
            "marks",
            f"the newest moment with known figures is of {noted[-1]['at']}",
            f"journalctl -u amc-backup-mark@{pair.server}; {again}",
        )
    counted = noted[-1]["figures"].get("files")
    known = (pairs.read_json(files.state_file(pair)) or {}).get("store") or {}
    if isinstance(counted, dict) and (full or known.get("bytes", 0) <= NIGHTLY_BYTES):
        yield from compare(counted, contents(pair, noted[-1]["files_snapshot"]), noted[-1])


def compare(counted: pairs.Record, kept: pairs.Record, mark: pairs.Record) -> Iterator[Finding]:
    """`counted` by M EMS at the mark, `kept` in its snapshot: {"count", "bytes", "hash"}."""
    about = f"the files of the mark {mark['restore_point']} (snapshot {mark['files_snapshot'][:8]})"
    if kept["count"] > counted["count"]:
        more = kept["count"] - counted["count"]
        yield Finding(
            "figures",
            f"{about} are {more} more than M EMS has: they were deleted there and are kept here",
            "nothing",
            note=True,
        )
    elif any(kept[key] != counted.get(key, kept[key]) for key in ("count", "bytes", "hash")):
        amount = f"{kept['count']} files of {kept['bytes']} bytes, not {counted['count']} of"
        amount += f" {counted.get('bytes')}"
        same = (kept["count"], kept["bytes"]) == (counted["count"], counted.get("bytes"))
        yield Finding(
            "figures",
            f"{about} differ from M EMS's figures: {'as many, with other contents' if same else amount}",
            "files.py --checksum compares the mirror's contents with M EMS and pulls what differs; then mark"
            " and verify again. Older snapshots may be right",
        )


def contents(pair: pairs.Pair, snapshot: str) -> pairs.Record:
    """{"count", "bytes", "hash"} of a snapshot's files as they come back, as M EMS counts its own.

    The hash is one over 'name NUL sha256-of-contents newline' a file, in the order of their names' parts.
    """
    found: dict[tuple[str, ...], tuple[str, int]] = {}
    dumping = subprocess.Popen(
        repository.command(pair, "dump", "--no-lock", snapshot, "/"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        cwd="/",
    )
    assert dumping.stdout
    try:
        with tarfile.open(fileobj=dumping.stdout, mode="r|") as archive:
            for member in archive:
                if member.isfile() and (stream := archive.extractfile(member)):
                    digest = hashlib.file_digest(stream, "sha256")  # type: ignore[arg-type]
                    found[PurePosixPath(member.name.lstrip("/")).parts] = (digest.hexdigest(), member.size)
        while dumping.stdout.read(1 << 20):  # what follows the archive's end; restic wants to be rid of it
            pass
    except (tarfile.TarError, EOFError):
        pass  # it broke off; its exit code says so too
    finally:
        dumping.stdout.close()
    if dumping.wait(60) != 0:
        return {"count": -1, "bytes": 0, "hash": "the snapshot can't be read"}
    digest = hashlib.sha256()
    for parts in sorted(found):
        digest.update(f"{'/'.join(parts)}\0{found[parts][0]}\n".encode())
    return {"count": len(found), "bytes": sum(size for _, size in found.values()), "hash": digest.hexdigest()}
