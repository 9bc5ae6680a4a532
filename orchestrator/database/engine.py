"""Opens the database: `connect` for a database that is ready, `open_engine` for whoever makes it ready.

Writers on SQLite take the write lock when their transaction begins (BEGIN IMMEDIATE), so what a transaction
reads stays true until it commits. PostgreSQL runs at READ COMMITTED; there the first UPDATE takes the lock.
`reading` gives a transaction that blocks no writer.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from orchestrator.errors import InvalidInput, Problem

BUSY_SECONDS = 30
VERSIONS = Path(__file__).parent / "migrations" / "versions"


def connect(database_url: str) -> Engine:
    """Open a database whose schema is this program's.

    InvalidInput when it is missing, out of reach, not migrated or newer; nothing is created.
    """
    url = parse_url(database_url)
    if url.database and is_sqlite(url) and not Path(url.database).is_file():
        raise refusal(url, "there is no database yet", "run amc init")
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            found = schema_version(connection)
    except DatabaseError as error:
        raise refusal(url, _words(error), "see that the database can be reached and read") from error
    wanted = newest_version()
    if found is not None and found > wanted:
        raise refusal(url, f"its schema {found} is newer than this amc ({wanted})", "update amc")
    if found != wanted:
        raise refusal(url, f"its schema is {found or 'missing'}, this amc needs {wanted}", "run amc init")
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads: one consistent view, and no writer waits for it."""
    with engine.connect() as connection:
        if is_sqlite(engine.url):
            connection.execution_options(amc_reading=True)
        else:
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        yield connection


def parse_url(database_url: str) -> URL:
    """Read the setting AMC_DATABASE_URL; InvalidInput when it names no file and no PostgreSQL."""
    try:
        url = make_url(database_url)
    except ArgumentError:
        url = None
    if url is not None and url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    known = url is not None and (url.drivername == "postgresql+psycopg" or (is_sqlite(url) and url.database))
    if url is None or not known or url.database == ":memory:":
        raise InvalidInput(
            [
                Problem(
                    file=Path("AMC_DATABASE_URL"),
                    line=0,
                    message="this is no address of a database that amc knows",
                    mend="give sqlite:////path/to/file.db or postgresql://user@host/database",
                )
            ]
        )
    return url


def is_sqlite(url: URL) -> bool:
    """Whether the database is a file of SQLite."""
    return url.get_backend_name() == "sqlite"


def refusal(url: URL, message: str, mend: str) -> InvalidInput:
    """The refusal of a database, with its address but without a password."""
    where = Path(url.database) if is_sqlite(url) and url.database else Path("AMC_DATABASE_URL")
    if not is_sqlite(url):
        message = f"{url.render_as_string(hide_password=True)}: {message}"
    return InvalidInput([Problem(file=where, line=0, message=message, mend=mend)])


def open_engine(url: URL) -> Engine:
    """Make an engine with the house's settings; looks at nothing yet."""
    if not is_sqlite(url):
        return create_engine(url, connect_args={"connect_timeout": 10})
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def schema_version(connection: Connection) -> str | None:
    """Read the schema's version as alembic left it, without importing alembic (0.2 s)."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def newest_version() -> str:
    """Give the version this program needs: migrations are named by it, `0001_ledger.py`."""
    return max(file.name[:4] for file in VERSIONS.glob("[0-9]*.py"))


def _prepare_sqlite(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, never by the driver
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("amc_reading")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _words(error: DatabaseError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else "the database does not answer"
