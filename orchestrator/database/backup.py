"""Backs the orchestrator's own database up while it is in use, into a restic repository, and brings it back.

    python -m orchestrator.database.backup              the database of AMC_DATABASE_URL, into the repository
    python -m orchestrator.database.backup --to FILE    into a file; none may be there
    python -m orchestrator.database.backup --back FILE [--snapshot ID]    from the repository into a file

The state of the servers (AMC_PULUMI_BACKEND, where it is a folder of this machine) and the passphrase
that opens it go into the same snapshot; --back puts them beside FILE as FILE.pulumi.

The repository and its password are restic's own settings, RESTIC_REPOSITORY and RESTIC_PASSWORD_FILE; where
there is no repository yet, `restic init` makes it. A copy is one moment of the database, also while a worker
writes, and is looked through before it counts. To go on with one, put it in the place of the old file while
nothing runs.
"""

import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from orchestrator import settings
from orchestrator.database.engine import is_sqlite, parse_url, refusal
from orchestrator.errors import AmcError, MachineUnfit

NAME = "amc.db"
# The engine's state of the servers and its passphrase, in one folder of the snapshot.
SERVERS = "pulumi"
RESTIC_SECONDS = 3600


def copy(database_url: str, target: Path) -> None:
    """A copy of the SQLite database as it is at one moment, complete and sound when this returns.

    InvalidInput for PostgreSQL, which has its own way, and for a database that is missing; AmcError when
    `target` is there already or the copy is not sound, and then there is none.
    """
    url = parse_url(database_url)
    if not is_sqlite(url) or not url.database:
        raise refusal(
            url,
            "PostgreSQL is backed up by its own programs, not by this one",
            "pg_dump -Fc -d URL -f FILE, and back: pg_restore -d URL FILE; or let Barman have it",
        )
    source = Path(url.database)
    if not source.is_file():
        raise refusal(url, "there is no database yet", "run amc init")
    if target.exists():
        raise AmcError(f"{target} is there already", "name a file that is not there yet")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        _copy(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """By SQLite's own online backup, in one step: it holds a reader's place, and no writer waits for it."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            said = writing.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok":
                raise AmcError(f"the copy of {source} is not sound: {said}", "go back to an earlier backup")
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
    except sqlite3.DatabaseError as error:
        raise AmcError(f"{source} can't be copied: {error}", "go back to an earlier backup") from error
    with target.open("rb") as file:
        os.fsync(file.fileno())


def back_up(database_url: str, servers: Sequence[Path] = ()) -> str:
    """A copy, and these files and folders beside it, as a snapshot of the repository; what restic says."""
    with _folder() as folder:
        copy(database_url, folder / NAME)
        (folder / SERVERS).mkdir()
        for source in servers:
            _copy_of_servers(source, folder / SERVERS / source.name)
        return _restic("backup", "--host=orchestrator", "--tag=orchestrator", NAME, SERVERS, folder=folder)


def _copy_of_servers(source: Path, target: Path) -> None:
    """The engine replaces a state's file as a whole, so each file is one moment; one that goes is left
    out.
    """
    if source.is_file():
        shutil.copy2(source, target)
    elif source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("locks"), copy_function=_if_there)


def _if_there(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def bring_back(target: Path, snapshot: str = "latest") -> None:
    """The database of a snapshot, as a file that was not there before and is sound, and the servers'
    state.
    """
    with _folder() as folder:
        _restic("restore", snapshot, "--host=orchestrator", "--tag=orchestrator", f"--target={folder}")
        copy(f"sqlite:///{folder / NAME}", target)
        if (folder / SERVERS).is_dir() and any((folder / SERVERS).iterdir()):
            shutil.copytree(
                folder / SERVERS, target.with_name(f"{target.name}.{SERVERS}"), dirs_exist_ok=True
            )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="amc-database-") as name:  # mode 0700
        yield Path(name)


def _restic(*words: str, folder: Path = Path("/")) -> str:
    program = shutil.which("restic")
    if not program:
        raise MachineUnfit("restic is not installed here", "apt-get install restic")
    if "RESTIC_REPOSITORY" not in os.environ:
        raise AmcError("RESTIC_REPOSITORY names no repository", "set it and RESTIC_PASSWORD_FILE")
    done = subprocess.run(
        [program, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=RESTIC_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise AmcError(
            f"restic {words[0]}: {' / '.join(last)}",
            "look at RESTIC_REPOSITORY and RESTIC_PASSWORD_FILE; restic init makes a new repository",
        )
    return done.stdout.strip()


def _of_servers(chosen: settings.Settings) -> list[Path]:
    """The state, unless it lies elsewhere and is that place's to back up, and what opens it."""
    local = chosen.pulumi_backend.removeprefix("file://")
    state = [Path(local) / ".pulumi"] if local != chosen.pulumi_backend else []
    return [*state, chosen.secrets_dir / "pulumi_passphrase"]


def main() -> None:
    """Do what the words ask; an error of ours becomes its words on stderr and its exit code."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--to", type=Path, help="copy into this file instead of the repository")
    words.add_argument("--back", type=Path, help="bring the database back into this file")
    words.add_argument("--snapshot", default="latest", help="of the repository, for --back")
    asked = words.parse_args()
    chosen = settings.read()
    url = chosen.database_url
    try:
        if asked.back:
            bring_back(asked.back, asked.snapshot)
            print(f"{asked.back} is the database of the snapshot {asked.snapshot}")
        elif asked.to:
            copy(url, asked.to)
            print(f"{asked.to} is a copy of the database")
        else:
            print(back_up(url, _of_servers(chosen)))
    except AmcError as error:
        print(f"backup: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
