"""Copy what a plan says to the server that is recovered, through the way in that it opened for this run.

That way takes rsync into the run's own folder and nothing else. A base backup is verified against its
manifest while it is copied; one that fails is marked bad, and the one before it is taken.
"""

import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pair as pairs
import repository
import restore_choice as choice
import restore_plan
import restore_wal

COPY_SECONDS = 24 * 3600
RENAMED = 5  # tries
UNREADABLE = {23, 24}  # rsync's codes for source files that can't be read, or went away


class Unreadable(Exception):
    """The source could not be read whole; the reason in words."""


@dataclass(frozen=True)
class Way:
    """The way in: where, and the one-time host key by which the other side is known."""

    pair: pairs.Pair
    run: str
    address: str
    port: int
    host_key: str

    @property
    def folder(self) -> Path:
        """What is kept here for the run."""
        return restore_plan.folder_of(self.pair, self.run)

    def know(self) -> None:
        """Keep the other side's key."""
        (self.folder / "known_hosts").write_text(f"recover {self.host_key}\n")

    def rsync(self, source: Path, name: str, *more: str) -> subprocess.Popen[str]:
        """Begin to copy the contents of a folder into the run's folder `name` on the other side."""
        options = ["HostKeyAlias=recover", f"UserKnownHostsFile={self.folder}/known_hosts"]
        options += ["GlobalKnownHostsFile=/dev/null"]
        options += ["StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=10"]
        options += ["ServerAliveInterval=5", "ServerAliveCountMax=6", "Compression=no"]
        options += ["Ciphers=aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com"]
        ssh = ["/usr/bin/ssh", "-F", "/dev/null", "-i", f"{pairs.HOME}/.ssh/id_recover", "-p", str(self.port)]
        ssh += [f"-o{option}" for option in options] + ["-l", "amc-recover"]
        command = [
            "/usr/bin/rsync",
            "--recursive",
            "--links",
            "--perms",
            "--times",
            "--delete",
            "--whole-file",
        ]
        command += [*more, "--rsh", shlex.join(ssh), f"{source}/", f"{self.address}:{name}/"]
        return subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
        )

    def copy(self, source: Path, name: str, *more: str) -> None:
        """Copy and wait for the end. Trouble, or Unreadable when the source is at fault."""
        settle(self.rsync(source, name, *more), name)


def settle(copying: subprocess.Popen[str], what: str) -> None:
    """Wait for an rsync."""
    _, said = copying.communicate(timeout=COPY_SECONDS)
    if copying.returncode == 0:
        return
    words = f"rsync of the {what} ended with {copying.returncode}: {' / '.join(said.splitlines()[-3:])}"
    raise Unreadable(words) if copying.returncode in UNREADABLE else pairs.Trouble(words)


def send(pair: pairs.Pair, way: Way) -> pairs.Record:
    """Copy everything of the plan; the record says which backup it was, and which were not whole."""
    plan = pairs.read_json(way.folder / "plan.json")
    if plan is None:
        raise pairs.Trouble(f"run {way.run} has no plan: ask for it with --fix first")
    record: pairs.Record = {"backup": None, "fell_back_from": []}
    way.know()
    with ThreadPoolExecutor(1) as beside:  # restic computes while the database is copied
        files = beside.submit(_files, pair, way, plan) if plan.get("files") else None
        if plan.get("candidates"):
            record |= _database(pair, way, plan)
        if files:
            files.result()
    return record


def _database(pair: pairs.Pair, way: Way, plan: restore_plan.Plan) -> pairs.Record:
    fell_back: list[dict[str, str]] = []
    for backup in plan["candidates"]:
        try:
            _base(pair, way, backup)
        except Unreadable as fault:
            fell_back.append({"id": backup["id"], "words": str(fault)})
            bad = pairs.read_json(pair.folder / "bad_backups.json") or {}
            pairs.write_json(pair.folder / "bad_backups.json", {**bad, backup["id"]: str(fault)})
            continue
        _wal(pair, way, plan, backup)
        return {"backup": backup, "fell_back_from": fell_back}
    faults = "; ".join(f"{each['id']}: {each['words']}" for each in fell_back)
    raise choice.NoChoice(f"no backup that could be used is whole: {faults}")


def _base(pair: pairs.Pair, way: Way, backup: dict[str, Any]) -> None:
    """Copy a base backup, and verify it meanwhile."""
    data = pair.catalogue / "base" / backup["id"] / "data"
    command = [
        str(restore_wal.PROGRAMS / "pg_verifybackup"),
        "--no-parse-wal",
        "--quiet",
        "--exit-on-error",
        str(data),
    ]
    copying = way.rsync(data, "data", "--exclude=/recovery.signal", "--exclude=/standby.signal")
    try:
        pairs.run(command, "pg_verifybackup", COPY_SECONDS)
    except pairs.Trouble as fault:
        copying.kill()
        copying.communicate()
        raise Unreadable(str(fault)) from None
    settle(copying, f"backup {backup['id']}")


def _wal(pair: pairs.Pair, way: Way, plan: restore_plan.Plan, backup: dict[str, Any]) -> None:
    """Copy the WAL from the backup on, and every timeline's history, under the names PostgreSQL asks for."""
    folder = way.folder / "wal"
    for attempt in range(RENAMED):
        try:
            _lay_out(restore_plan.store_of(pair), folder, plan, backup)
            break
        except (
            FileNotFoundError
        ):  # a segment was finished or archived between listing and linking: list again
            if attempt == RENAMED - 1:
                raise
    way.copy(folder, "wal")


def _lay_out(store: restore_wal.Store, folder: Path, plan: restore_plan.Plan, backup: dict[str, Any]) -> None:
    way = store.way(plan["timeline"], backup["begin"])
    pieces = [piece for piece in way if piece[0].number <= plan["last_segment"]]
    restore_wal.lay_out(pieces, folder, store.segment_bytes)
    for _, path in store.histories().values():
        shutil.copyfile(path, folder / path.name)


def _files(pair: pairs.Pair, way: Way, plan: restore_plan.Plan) -> None:
    """Take the snapshot out of restic, which proves every byte of it, and copy it."""
    files, only = plan["files"], plan["attachment"]
    folder = way.folder / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    include = [f"--include=/{only}"] if only else []
    repository.ask(
        pair, "restore", files["snapshot"], "--no-lock", f"--target={folder}", *include, seconds=COPY_SECONDS
    )
    if only and not (folder / only).is_file():
        raise pairs.Trouble(f"the snapshot of {files['time']} has no file {only}")
    # The store has none; what is a link here was sent by a server that we don't trust.
    way.copy(folder, "files", "--no-links")
    shutil.rmtree(folder)
