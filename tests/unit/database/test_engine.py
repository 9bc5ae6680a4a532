"""Opening the database: what is accepted as an address, and that a refusal creates nothing."""

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.database.engine import connect, newest_version, parse_url
from orchestrator.database.metadata import Instant
from orchestrator.errors import InvalidInput


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_accepted_by_its_usual_names(scheme: str) -> None:
    """All of them mean the one driver that is installed."""
    assert parse_url(f"{scheme}://u@h/d").drivername == "postgresql+psycopg"


@pytest.mark.parametrize("address", ["", "amc.db", "mysql://h/d", "sqlite://", "sqlite:///:memory:"])
def test_other_addresses_are_refused_with_the_settings_name(address: str) -> None:
    """A database in memory would lose the ledger with the process."""
    with pytest.raises(InvalidInput, match="AMC_DATABASE_URL"):
        parse_url(address)


def test_a_missing_file_is_refused_and_not_created(tmp_path: Path) -> None:
    """Reading commands never make a database."""
    with pytest.raises(InvalidInput, match="run amc init"):
        connect(f"sqlite:///{tmp_path}/home/amc.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_our_schema_is_refused(tmp_path: Path) -> None:
    """An empty file, as a client that only connects leaves it, is no database of ours."""
    (tmp_path / "amc.db").touch()
    with pytest.raises(InvalidInput, match="schema is missing"):
        connect(f"sqlite:///{tmp_path}/amc.db")


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    """What SQLite says is passed on, without a traceback."""
    (tmp_path / "amc.db").write_text("this is not a database, and it is long enough to be looked at\n" * 20)
    with pytest.raises(InvalidInput, match="not a database"):
        connect(f"sqlite:///{tmp_path}/amc.db")


@pytest.mark.parametrize(("found", "mend"), [("0000", "run amc init"), ("9999", "update amc")])
def test_an_older_or_newer_schema_is_refused(tmp_path: Path, found: str, mend: str) -> None:
    """The mend differs: one side has to move forward."""
    with sqlite3.connect(tmp_path / "amc.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES (?)", (found,))
    database.close()
    with pytest.raises(InvalidInput, match=f"(?s){found}.*{newest_version()}.*{mend}"):
        connect(f"sqlite:///{tmp_path}/amc.db")


def test_an_unreachable_server_is_refused_without_its_password() -> None:
    """Nothing listens on port 1; the address is shown, the password is not."""
    with pytest.raises(InvalidInput) as refusal:
        connect("postgresql://ops:sesame@127.0.0.1:1/amc")
    assert "127.0.0.1:1" in str(refusal.value)
    assert "sesame" not in str(refusal.value)


def test_moments_are_kept_as_utc_and_never_naive() -> None:
    """Both databases give back what was stored; a time without a zone is a mistake."""
    noon = datetime(2026, 6, 1, 12, tzinfo=timezone(timedelta(hours=4)))
    for dialect in (sqlite.dialect(), postgresql.dialect()):
        stored = Instant().process_bind_param(noon, dialect)
        assert Instant().process_result_value(stored, dialect) == noon
        assert Instant().process_result_value(stored, dialect).tzinfo is UTC  # type: ignore[union-attr]  # not None
    with pytest.raises(ValueError, match="no time zone"):
        Instant().process_bind_param(datetime(2026, 6, 1, 12), sqlite.dialect())  # noqa: DTZ001  the mistake meant
