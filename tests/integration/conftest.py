"""Real databases: SQLite files, and a PostgreSQL server of these tests' own on loopback.

`database_url` is a migrated, empty database, `empty_database_url` one that nothing was done to; a test that
asks for either runs once on each kind. The server runs as an unprivileged user in a temporary folder and ends
with this process, even when that is killed.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from orchestrator.database.creation import initialise

DEADLINE_S = 60


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of the server without a database: postgresql://postgres@127.0.0.1:PORT."""
    with postgresql_server() as address:
        yield address


@contextmanager
def postgresql_server() -> Iterator[str]:
    """The server, for a soak too; its address."""
    folder = Path(tempfile.mkdtemp(prefix="amc-test-postgresql-"))
    user = _unprivileged_user()
    if user:
        shutil.chown(folder, user)
    try:
        words = [
            "initdb",
            "-D",
            str(folder / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        _run_as(user, words)
        port = _free_port()
        with _server(user, folder, port) as server:
            _wait_for(server, port, folder / "log")
            try:
                yield f"postgresql://postgres@127.0.0.1:{port}"
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(DEADLINE_S)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "amc.db"
    initialise(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> str:
    """The name of a migrated database, to be copied."""
    name = _new_database(postgresql, "template1")
    initialise(f"{postgresql}/{name}")
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of this test alone."""
    if request.param == "sqlite":
        file = tmp_path / "amc.db"
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    server = request.getfixturevalue("postgresql")
    name = _new_database(server, request.getfixturevalue("migrated_postgresql"))
    yield f"{server}/{name}"
    _drop_database(server, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database in which nothing was done yet; for SQLite not even the file is there."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'amc.db'}"
        return
    server = request.getfixturevalue("postgresql")
    name = _new_database(server, "template1")
    yield f"{server}/{name}"
    _drop_database(server, name)


def _new_database(server: str, template: str) -> str:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def _drop_database(server: str, name: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _server(user: str, folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """The server as a child that gets SIGINT (a fast shutdown) when this process dies."""
    identity = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"] if user else []
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "max_connections": "200",
    }
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [
                "setpriv",
                *identity,
                "--pdeathsig",
                "INT",
                _program("postgres"),
                "-D",
                str(folder / "data"),
                *words,
            ],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _wait_for(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"PostgreSQL did not answer within {DEADLINE_S} s:\n{log.read_text()}")


def _run_as(user: str, words: list[str]) -> None:
    words = [_program(words[0]), *words[1:]]
    if user:
        words = ["runuser", "-u", user, "--", *words]
    done = subprocess.run(words, cwd="/", capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(words)}\n{done.stdout}{done.stderr}")


def _program(name: str) -> str:
    """PostgreSQL's program: Debian keeps the server's programs outside PATH."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if not found:
        pytest.fail(f"these tests need a real PostgreSQL, and there is no `{name}`: run scripts/install")
    return found


def _unprivileged_user() -> str:
    """Who runs the server: PostgreSQL refuses root. Empty where we are no root."""
    return "postgres" if os.geteuid() == 0 else ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
