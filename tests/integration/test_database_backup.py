"""The orchestrator's database, backed up while a process writes to it, into a real repository, and back."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import pytest

from orchestrator.database.backup import copy
from orchestrator.database.creation import initialise
from orchestrator.database.engine import connect, reading
from orchestrator.errors import AmcError, InvalidInput
from orchestrator.ledger import reading as ledger
from orchestrator.ledger import store
from tests.unit.ledger.agreements import retainer

REPOSITORY = Path(__file__).parents[2]
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
DEADLINE_S = 60
CONTRACT = """\
amc_contract:
  {customer: acme, customer_name: Acme Trading LLC, number: T-1, version: 1, mode: retainer,
   time_zone: Asia/Dubai, term: {start: 2026-01-01}, hours: {per_calendar_year: 5},
   maintenance_windows: [{days: [friday], start: "22:00", end: "04:00"}]}
"""


def _write(database_url: str, written: "Synchronized[int]") -> None:
    engine = connect(database_url)
    for number in range(100_000):
        with engine.begin() as connection:
            store.buy(connection, retainer(), 60, key=f"k{number}", note="", at=NOW)
        written.value = number + 1


@contextmanager
def writing(database_url: str) -> "Iterator[Synchronized[int]]":
    """A process that posts to the ledger without a pause; how many postings it has committed."""
    context = multiprocessing.get_context("spawn")
    written = context.Value("i", 0)
    writer = context.Process(target=_write, args=(database_url, written))
    writer.start()
    try:
        until = time.monotonic() + DEADLINE_S
        while written.value == 0:
            assert time.monotonic() < until
            time.sleep(0.01)
        yield written
    finally:
        writer.kill()
        writer.join()


def postings(database_url: str) -> int:
    """How many the ledger has; its chain is whole."""
    with reading(connect(database_url)) as connection:
        found = ledger.verify(connection, retainer())
    assert not found.faults
    return found.postings


def backup(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.database.backup", *words],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    shutil.copyfile(migrated_sqlite, tmp_path / "amc.db")
    return f"sqlite:///{tmp_path / 'amc.db'}"


def test_copies_made_while_a_process_writes_are_each_one_moment(sqlite_url: str, tmp_path: Path) -> None:
    """Five copies: each chain is whole, has all that was committed before it began; the writer went on."""
    counts = []
    with writing(sqlite_url) as written:
        for number in range(5):
            before = written.value
            copy(sqlite_url, tmp_path / f"copy{number}")
            counts.append((before, written.value))
            time.sleep(0.1)
    for number, (before, after) in enumerate(counts):
        assert before <= postings(f"sqlite:///{tmp_path / f'copy{number}'}") <= after + 1
    assert counts[-1][1] > counts[0][0] + 5


def test_into_a_repository_and_back(sqlite_url: str, tmp_path: Path) -> None:
    """Backed up under writes, the old one lost: the restored one verifies and amc works with it."""
    (tmp_path / "password").write_text("secret")
    environment = {
        "AMC_DATABASE_URL": sqlite_url,
        "RESTIC_REPOSITORY": str(tmp_path / "repository"),
        "RESTIC_PASSWORD_FILE": str(tmp_path / "password"),
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
        "AMC_HOME": str(tmp_path / "home"),
    }
    state = tmp_path / "home" / "pulumi" / ".pulumi"
    for name in ("stacks/mems/acme.json", "locks/organization/mems/acme/1.json"):
        (state / name).parent.mkdir(parents=True)
        (state / name).write_text("{}")
    (tmp_path / "home" / "secrets").mkdir()
    (tmp_path / "home" / "secrets" / "pulumi_passphrase").write_text("opens it")
    missing = backup(**environment)
    assert (missing.returncode, "restic init makes a new repository" in missing.stderr) == (1, True)
    subprocess.run(["restic", "init"], env={**os.environ, **environment}, check=True, capture_output=True)
    with writing(sqlite_url) as written:
        before = written.value
        done = backup(**environment)
        assert done.returncode == 0, done.stderr
    restored = tmp_path / "restored.db"
    done = backup("--back", str(restored), **environment)
    assert done.returncode == 0, done.stderr
    assert (restored.stat().st_mode & 0o777, restored.with_name("restored.db-wal").exists()) == (0o600, False)
    servers = tmp_path / "restored.db.pulumi"
    assert (servers / ".pulumi/stacks/mems/acme.json").read_text() == "{}"
    assert (servers / "pulumi_passphrase").read_text() == "opens it"
    assert not list(servers.rglob("locks"))
    count = postings(f"sqlite:///{restored}")
    assert count >= before
    assert initialise(f"sqlite:///{restored}") == []
    contract = tmp_path / "inventories/acme/group_vars/all/contract.yml"
    contract.parent.mkdir(parents=True)
    contract.write_text(CONTRACT)
    verified = subprocess.run(
        [Path(sys.executable).parent / "amc", "hours", "verify", "--customer", "acme"],
        env={
            **os.environ,
            "AMC_DATABASE_URL": f"sqlite:///{restored}",
            "AMC_INVENTORIES": str(tmp_path / "inventories"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{count} postings, the chain is whole" in verified.stdout, verified.stderr
    again = backup("--back", str(restored), **environment)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


def test_a_damaged_database_gives_no_copy(sqlite_url: str, tmp_path: Path) -> None:
    """A page full of noise: said, and no file is left."""
    file = tmp_path / "amc.db"
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(os.urandom(4096))
    with pytest.raises(AmcError, match=r"not sound|can't be copied"):
        copy(sqlite_url, tmp_path / "copy")
    assert not list(tmp_path.glob("copy*"))


def test_postgresql_is_told_its_own_way() -> None:
    """The refusal names pg_dump and hides the password."""
    with pytest.raises(InvalidInput, match="pg_dump") as refused:
        copy("postgresql://amc:secret@db/amc", Path("/nowhere"))
    assert "secret" not in str(refused.value)
