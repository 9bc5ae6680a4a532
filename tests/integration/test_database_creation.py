"""`amc init`'s part in the database: the migrated schema is the one in the code, once, whoever runs it."""

import subprocess
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

import orchestrator.ledger.tables
import orchestrator.notify.tables
import orchestrator.runs.tables
import orchestrator.web.tables  # noqa: F401  all join the metadata
from orchestrator.database import creation
from orchestrator.database.engine import VERSIONS, connect, newest_version, open_engine, parse_url
from orchestrator.database.metadata import metadata
from orchestrator.errors import InvalidInput


def _schema(connection: Connection) -> dict[str, Any]:
    """Everything an inspector can tell of our tables."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "checks": sorted(map(str, inspector.get_check_constraints(table))),
            "indexes": sorted(
                f"{index['name']} {index['column_names']} {index['unique']} "
                # a partial index's condition is an object: only its words compare
                f"{[(name, str(value)) for name, value in index.get('dialect_options', {}).items()]}"
                for index in inspector.get_indexes(table)
            ),
        }
        for table in metadata.tables
    }


def test_the_migrated_schema_is_the_metadatas(empty_database_url: str) -> None:
    """alembic finds no difference, and neither do constraints and indexes, which it does not compare."""
    url = parse_url(empty_database_url)
    with open_engine(url).connect() as connection:
        metadata.create_all(connection)
        meant = _schema(connection)
        connection.rollback()
    creation.initialise(empty_database_url)
    with connect(empty_database_url).begin() as connection:
        assert _schema(connection) == meant
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_version_is_the_chains_one_head() -> None:
    """`connect` reads it from the files' names; alembic reads the chain, which has one end."""
    assert ScriptDirectory(str(VERSIONS.parent)).get_heads() == [newest_version()]


def test_a_second_initialisation_does_nothing(empty_database_url: str) -> None:
    """It says what it did, and nothing when there is nothing to do."""
    assert (
        creation.initialise(empty_database_url)[-1]
        == f"brought the schema from nothing to {newest_version()}"
    )
    assert creation.initialise(empty_database_url) == []


def test_four_initialisations_at_once_are_one(empty_database_url: str) -> None:
    """Four processes start together: all succeed, and exactly one brings the schema up."""
    program = (
        "import sys\n"
        "from orchestrator.database.creation import initialise\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(initialise(sys.argv[1]))\n"
    )
    words = [sys.executable, "-c", program, empty_database_url]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outputs = [racer.communicate(timeout=60)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * 4
    assert sum("brought the schema" in output for output in outputs) == 1
    connect(empty_database_url)


def test_an_initialisation_killed_before_its_commit_leaves_nothing(empty_database_url: str) -> None:
    """The migrations are one transaction: nothing of them is left, and the next run goes through."""
    program = (
        "import os, signal, sys\n"
        "from orchestrator.database import creation\n"
        "migrate = creation.migrate\n"
        "def killed(connection):\n"
        "    migrate(connection)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "creation.migrate = killed\n"
        "creation.initialise(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, empty_database_url], timeout=60, check=False)
    assert done.returncode == -9
    with pytest.raises(InvalidInput, match="run amc init"):
        connect(empty_database_url)
    creation.initialise(empty_database_url)
    connect(empty_database_url)


def test_a_newer_schema_is_not_touched(database_url: str) -> None:
    """An older program refuses a database that a newer one has migrated, also to initialise it."""
    with connect(database_url).begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InvalidInput, match="update amc"):
        creation.initialise(database_url)


def test_a_database_that_does_not_exist_is_refused_in_words(postgresql: str) -> None:
    """amc makes SQLite's file; a PostgreSQL database is made by its administrator."""
    with pytest.raises(InvalidInput, match=r"nowhere.*does not exist"):
        creation.initialise(f"{postgresql}/nowhere")
