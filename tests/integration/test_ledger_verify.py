"""`verify` finds what was changed behind the ledger's back: with the guards off, as an intruder would."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine

from orchestrator.database.engine import connect, reading
from orchestrator.ledger import reading as ledger
from orchestrator.ledger import store
from tests.unit.ledger.agreements import retainer, terms

HOUR = 3600
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


CHANGES = [
    ("UPDATE ledger_postings SET seconds = seconds - 1 WHERE sequence = 3", "posting 3"),
    ("UPDATE ledger_postings SET raw = raw + 1 WHERE sequence = 3", "posting 3"),
    ("UPDATE ledger_postings SET rounded = 0 WHERE sequence = 3", "posting 3"),
    ("UPDATE ledger_postings SET note = 'invoice 8' WHERE kind = 'buy'", "posting 8"),
    ("UPDATE ledger_postings SET contract_version = 2 WHERE sequence = 5", "posting 5"),
    ("UPDATE ledger_postings SET request = 'other' WHERE sequence = 5", "posting 5"),
    ("UPDATE ledger_postings SET at = '2026-11-24 10:00:00' WHERE sequence = 5", "posting 5"),
    ("UPDATE ledger_postings SET planned_at = '2026-11-25 09:00:00' WHERE sequence = 2", "posting 2"),
    ("UPDATE ledger_postings SET hash = 'f00d' WHERE sequence = 4", "posting 4"),
    ("UPDATE ledger_postings SET contract = 'T-9' WHERE sequence = 9", "should end with posting 9"),
    ("UPDATE ledger_entries SET year = 2025 WHERE account = 'used' AND seconds = 1800", "posting 3"),
    ("UPDATE ledger_entries SET seconds = seconds - 1 WHERE account = 'bought'", "do not add up to zero"),
    ("UPDATE ledger_entries SET account = 'used' WHERE account = 'bought'", "posting 8"),
    ("DELETE FROM ledger_entries WHERE account = 'used'", "do not add up to zero"),
    (
        "INSERT INTO ledger_entries (id, posting_id, account, year, seconds) "
        "SELECT 1000 + id, id, 'used', 2026, 900 FROM ledger_postings WHERE sequence = 9",
        "posting 9",
    ),
    ("UPDATE ledger_lots SET available = available + 900 WHERE kind = 'prepaid'", "seconds available"),
    ("UPDATE ledger_lots SET valid_until = NULL WHERE kind = 'retainer'", "posting 1"),
    ("UPDATE ledger_lots SET acquired_at = '2025-11-24 09:00:00' WHERE kind = 'prepaid'", "posting 8"),
    ("UPDATE ledger_chains SET head = 'f00d'", "should end with posting 9"),
    ("UPDATE ledger_chains SET postings = 10", "should end with posting 10"),
]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A ledger of nine postings whose guards were taken away."""
    opened = connect(database_url)
    with opened.begin() as connection:
        for number in range(3):
            store.hold(connection, retainer(), terms(), f"r{number}", seconds=HOUR, planned_at=NOW, now=NOW)
            store.settle(connection, retainer(), f"r{number}", 1200 + number, terms(), now=NOW)
        store.buy(connection, retainer(), HOUR, key="b", note="invoice 7", at=NOW)
        store.hold(connection, retainer(), terms(), "open", seconds=HOUR, planned_at=NOW, now=NOW)
        _drop_guards(connection)
    yield opened
    opened.dispose()


def _drop_guards(connection: Connection) -> None:
    for table in ("ledger_postings", "ledger_entries"):
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_update")
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_delete")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER {table}_append_only ON {table}")


def faults(engine: Engine, printed: str = "") -> tuple[str, ...]:
    with reading(engine) as connection:
        return ledger.verify(connection, retainer(), printed).faults


def test_an_untouched_ledger_is_whole(engine: Engine) -> None:
    """Nothing is reported, and every head that was ever printed is found again."""
    assert faults(engine) == ()
    with reading(engine) as connection:
        heads = [line.posting.hash for line in ledger.log(connection, retainer())]
        assert ledger.head(connection, retainer()) == heads[-1]
    assert all(faults(engine, head) == () for head in heads)


def test_every_change_of_a_row_is_found(engine: Engine) -> None:
    """One UPDATE, DELETE or INSERT by hand, and `verify` names what it hit."""
    missed = []
    for change, found in CHANGES:
        with engine.connect() as connection:
            if "'T-9'" in change:
                connection.exec_driver_sql("INSERT INTO ledger_chains VALUES ('T-9', 0, '')")
            assert connection.exec_driver_sql(change).rowcount > 0
            if found not in " ".join(ledger.verify(connection, retainer()).faults):
                missed.append(change)
            connection.rollback()
    assert missed == []


def test_a_posting_that_was_deleted_is_missed(engine: Engine) -> None:
    """In the middle the chain breaks; at the end the head is missed."""
    for sequence, found in ((9, "should end with posting 9"), (5, "posting 6 (hold:r2) does not follow")):
        with engine.begin() as connection:
            posting = f"(SELECT id FROM ledger_postings WHERE sequence = {sequence})"
            connection.exec_driver_sql(f"DELETE FROM ledger_entries WHERE posting_id = {posting}")
            connection.exec_driver_sql(f"DELETE FROM ledger_postings WHERE sequence = {sequence}")
        assert found in " ".join(faults(engine))


def test_a_forged_chain_is_found_by_a_head_that_was_printed(engine: Engine) -> None:
    """Who drops the last posting with all its traces leaves a whole chain, but not the printed head."""
    with reading(engine) as connection:
        printed = ledger.head(connection, retainer())
    with engine.begin() as connection:
        last = "(SELECT id FROM ledger_postings WHERE sequence = 9)"
        connection.exec_driver_sql(f"DELETE FROM ledger_entries WHERE posting_id = {last}")
        connection.exec_driver_sql("DELETE FROM ledger_postings WHERE sequence = 9")
        connection.exec_driver_sql(
            "UPDATE ledger_chains SET postings = 8, "
            "head = (SELECT hash FROM ledger_postings WHERE sequence = 8)"
        )
        connection.exec_driver_sql(
            f"UPDATE ledger_lots SET available = available + {HOUR} WHERE kind = 'retainer'"
        )
    assert faults(engine) == ()
    assert "is not in the chain" in faults(engine, printed)[0]


def test_two_contracts_have_two_chains(engine: Engine) -> None:
    """A fault in one contract's ledger says nothing about another's."""
    other = retainer(number="T-3")
    with engine.begin() as connection:
        store.ensure_year(connection, other, 2026, NOW + timedelta(days=1))
        connection.exec_driver_sql("UPDATE ledger_postings SET note = 'x' WHERE contract = 'T-1'")
    assert len(faults(engine)) == 9
    with reading(engine) as connection:
        assert ledger.verify(connection, other).faults == ()
