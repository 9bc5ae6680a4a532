"""Makes a database ready: creates the SQLite file, runs the migrations. Only `amc init` does this.

Two that run it at once, or one that is killed half-way, do no harm: everything happens in one transaction
under one lock, and a second run goes on from what it finds.
"""

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DatabaseError

from orchestrator.database.engine import (
    VERSIONS,
    is_sqlite,
    newest_version,
    open_engine,
    parse_url,
    refusal,
    schema_version,
)

LOCK = 4_207_113_003  # any number that no other program's advisory lock uses in this database


def initialise(database_url: str) -> list[str]:
    """Create and migrate the database; say what was done, an empty list when nothing was to do.

    InvalidInput when the database is out of reach, no database, or newer than this program.
    """
    url = parse_url(database_url)
    done = []
    if url.database and is_sqlite(url) and _create_file(Path(url.database)):
        done.append(f"created the database {url.database}")
    engine = open_engine(url)
    try:
        if is_sqlite(url):
            _use_write_ahead_log(engine)
        with engine.begin() as connection:
            before = schema_version(_locked(connection))
            if before != newest_version():
                migrate(connection)
                done.append(f"brought the schema from {before or 'nothing'} to {newest_version()}")
    except CommandError as error:
        raise refusal(url, f"its schema is not known to this amc: {error}", "update amc") from error
    except DatabaseError as error:
        words = str(error.orig or error).strip().splitlines()[0]
        raise refusal(url, words, "see that the database exists and can be written") from error
    finally:
        engine.dispose()
    return done


def migrate(connection: Connection) -> None:
    """Run what is missing of the chain of migrations, inside the caller's transaction."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _create_file(path: Path) -> bool:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    return True


def _use_write_ahead_log(engine: Engine) -> None:
    """Readers then never wait for a writer; the file remembers the mode. Not possible in a transaction."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _locked(connection: Connection) -> Connection:
    """SQLite's write lock was taken by BEGIN IMMEDIATE; PostgreSQL needs a lock by name."""
    if not is_sqlite(connection.engine.url):
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    return connection
