"""What the backup server knows of one M EMS server, and how it asks it: the ground of the programs beside it.

The state of server S lies in /var/lib/amc/backup/S (owner barman, 0700):
    server.json        written by role backup: address, conninfo, retention and so on
    backups.jsonl      one record a backup, oldest first; marks.jsonl, recoveries.jsonl likewise
    gaps.jsonl         {"at", "why", "after": the last WAL segment before it, "since": when that came};
                       a gap ends where the next base backup begins, no moment in it can be recovered
    protection.json    {"state": "protected" | "unprotected", "since", "why"}
Times are UTC in ISO 8601.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STATES = Path("/var/lib/amc/backup")
HOME = Path("/var/lib/barman")
PROGRAMS = Path(__file__).parent
BARMAN = "/usr/local/bin/barman"
POSTGRESQL = Path("/usr/lib/postgresql/15/bin")
ASK_SECONDS = 20
FIGURES_SECONDS = 600
ANSWER_BYTES = 1_000_000

Record = dict[str, Any]


class Trouble(Exception):
    """Something that can't be done; the reason in words, with what to do."""


@dataclass(frozen=True)
class Pair:
    """One M EMS server, seen from here. `known` is its server.json."""

    server: str
    known: Record

    @property
    def folder(self) -> Path:
        """Its state."""
        return STATES / self.server

    @property
    def catalogue(self) -> Path:
        """Barman's folder for it: base/, wals/, streaming/."""
        return HOME / self.server


def as_barman() -> None:
    """Go on as the user barman; root may call every program here."""
    if os.geteuid() == 0:
        os.chdir("/")
        again = [sys.executable, "-B", *sys.argv]
        os.execv("/usr/sbin/runuser", ["runuser", "-u", "barman", "--", *again])


def read(server: str) -> Pair:
    """Trouble for a server that was never paired with this one."""
    try:
        return Pair(server, json.loads((STATES / server / "server.json").read_text()))
    except FileNotFoundError:
        there = ", ".join(sorted(path.parent.name for path in STATES.glob("*/server.json"))) or "none"
        words = f"{server} is not paired with this backup server ({there}): run playbooks/backup.yml for it"
        raise Trouble(words) from None


def now() -> str:
    """This moment, as records keep it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def stamp(seconds: float) -> str:
    """A moment, given in seconds since 1970, as records keep it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def read_json(path: Path) -> Any:
    """The document in the file, or None without one."""
    return json.loads(path.read_text()) if path.exists() else None


def write_json(path: Path, document: object) -> None:
    """All or nothing, also through a power cut."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read_lines(path: Path) -> list[Record]:
    """The records of a .jsonl file, oldest first; a line that a crash cut off is left out."""
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def append_line(path: Path, record: Record) -> None:
    """Add a record to a .jsonl file, on disk when this returns."""
    torn = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("a") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(("\n" if torn else "") + json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())


def ssh(pair: Pair) -> list[str]:
    """ssh to the way in of the M EMS server, for one request after it; also for rsync -e (shlex.join)."""
    known = pair.known
    options = [f"HostKeyAlias={pair.server}", f"UserKnownHostsFile={pair.folder}/known_hosts"]
    options += ["GlobalKnownHostsFile=/dev/null", "StrictHostKeyChecking=yes", "BatchMode=yes"]
    options += ["IdentitiesOnly=yes", "ConnectTimeout=5", "ServerAliveInterval=5", "ServerAliveCountMax=3"]
    command = ["/usr/bin/ssh", "-F", "/dev/null", "-i", f"{HOME}/.ssh/id_pull", "-p", str(known["ssh_port"])]
    command += [f"-o{option}" for option in options]
    return [*command, "-l", known["ssh_user"]]


def ask(pair: Pair, what: str, seconds: float = FIGURES_SECONDS) -> Any:
    """What the M EMS server answers to `figures`, `units` or `version`. Trouble when it does not.

    Whoever took that server over may answer without an end: what is too long for an answer is cut off.
    """
    command = ["/usr/bin/timeout", "-k5", f"{seconds:.0f}", *ssh(pair), pair.known["address"], what]
    shortened = f'"$@" 2> >(head -c 4000 >&2) | head -c {ANSWER_BYTES}'
    limited = ["/usr/bin/bash", "-o", "pipefail", "-c", shortened, "ask", *command]
    output = run(limited, f"{pair.server} does not give its {what}", seconds + 10)
    try:
        return json.loads(output)
    except ValueError:
        raise Trouble(f"{pair.server} gave no JSON as its {what}: {output[:200]!r}") from None


def query(pair: Pair, statement: str, seconds: float = ASK_SECONDS) -> str:
    """What PostgreSQL of the M EMS server answers to the role barman, unaligned. Trouble when it does not."""
    command = ["/usr/bin/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", pair.known["conninfo"]]
    return run([*command, "-c", statement], f"PostgreSQL of {pair.server} does not answer", seconds).strip()


def barman(*words: str, seconds: float = 600) -> str:
    """What Barman prints to a command. Trouble with its words when it fails."""
    return run([BARMAN, *words], f"barman {words[0]}", seconds)


def run(command: list[str], what: str, seconds: float) -> str:
    """The output of a command within its time. Trouble, `what` with the command's last words, otherwise."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            cwd="/",
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Trouble(f"{what}: no end after {seconds:.0f} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-6:]
        raise Trouble(f"{what}: {' / '.join(said) or f'exit code {done.returncode}'}")
    return done.stdout
