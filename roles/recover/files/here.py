"""This server as the recovery sees it: where things are, its units, PostgreSQL. Run as root."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RUNS = Path("/var/lib/amc/runs")
SET_ASIDE = Path("/var/lib/amc/set-aside")
DATA = Path("/var/lib/postgresql/15/main")
FILES = Path("/srv/mems/files")
PORTS = (8001, 8002)
POSTGRESQL = "postgresql@15-main.service"
PROGRAMS = Path("/usr/lib/postgresql/15/bin")
LOG = Path("/var/log/postgresql/postgresql-15-main.log")
NGINX = "nginx.service"
SECONDS = 120
"""Where role mems puts them, see its vars/main.yml."""

Record = dict[str, Any]


class Trouble(Exception):
    """Something that can't be done; the reason in words, with what to do."""


def run(*command: str, seconds: float = SECONDS) -> str:
    """The output of a command within its time. Trouble with its last words otherwise."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        raise Trouble(f"{' '.join(command)}: no end after {seconds:.0f} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-4:]
        raise Trouble(f"{' '.join(command)}: {' / '.join(said) or f'exit code {done.returncode}'}")
    return done.stdout


def psql(statement: str, seconds: float = SECONDS) -> str:
    """What PostgreSQL answers to its superuser, unaligned. Trouble when it does not."""
    words = [
        "runuser",
        "-u",
        "postgres",
        "--",
        "psql",
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        "postgres",
        "-c",
    ]
    return run(*words, statement, seconds=seconds).strip()


def state_of(unit: str) -> str:
    """systemd's word: active, activating, inactive, failed and so on."""
    return run("systemctl", "show", "-P", "ActiveState", unit).strip()


def mems_units() -> list[str]:
    """Everything that lets users in or writes for them, the first to be stopped first."""
    instances = [f"mems@{port}.{kind}" for kind in ("socket", "service") for port in PORTS]
    return [NGINX, *instances]


def live_units() -> list[str]:
    """The units of M EMS that a served user needs, in the order of their start, without PostgreSQL."""
    known = json.loads(run("/usr/local/lib/mems/units"))
    return [unit for unit in known["units"] if unit != known["database"]["unit"]]


def controldata() -> dict[str, str]:
    """pg_controldata of the cluster; empty when it has none that can be read."""
    try:
        printed = run(str(PROGRAMS / "pg_controldata"), str(DATA))
    except Trouble:
        return {}
    return dict(re.findall(r"^([^:\n]+): +(.*)$", printed, re.M))


def now() -> str:
    """This moment, as records keep it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_between(early: str | None, late: str | None) -> float | None:
    """From one ISO moment to another; None when one is not known."""
    if not early or not late:
        return None
    return round((datetime.fromisoformat(late) - datetime.fromisoformat(early)).total_seconds(), 3)


def read_json(path: Path) -> Any:
    """The document in the file, or None without one."""
    return json.loads(path.read_text()) if path.exists() else None


def write_json(path: Path, document: object) -> None:
    """All or nothing, also through a power cut; only root reads it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def incoming(kind: str, run_id: str) -> Path:
    """Where the backup server may write: beside what it will replace, so that a rename puts it in place."""
    beside = DATA if kind in ("data", "wal") else FILES
    return beside.parent / f"amc-incoming-{run_id}" / kind
