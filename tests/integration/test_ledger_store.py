"""The ledger on real databases: each operation counts once, and a refusal or a crash leaves no trace."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError

from orchestrator.contracts.activities import Charge, WhenUsedUp
from orchestrator.database.engine import connect, reading
from orchestrator.errors import AmcError, HoursInsufficient, UsageError
from orchestrator.ledger import reading as ledger
from orchestrator.ledger import rules, store
from orchestrator.ledger.postings import Kind, Posting, append, lots_of
from orchestrator.ledger.rules import Part
from orchestrator.ledger.store import Hold, Settlement
from orchestrator.ledger.tables import chains, entries, lots, postings
from tests.unit.ledger.agreements import comprehensive, retainer, terms

HOUR = 3600
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CLOCK = terms()
GOES_ON = terms(when=WhenUsedUp.CONTINUE)
FIXED = terms(Charge.FIXED, 45)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = connect(database_url)
    yield opened
    opened.dispose()


def rows(connection: Connection) -> list[int]:
    tables = (chains, lots, postings, entries)
    return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


def hold(
    engine: Engine, key: str, seconds: int = HOUR, *, on=CLOCK, at: datetime = NOW, contract=None
) -> Hold:
    with engine.begin() as connection:
        return store.hold(
            connection, contract or retainer(), on, key, seconds=seconds, planned_at=at, now=min(at, NOW)
        )


def settle(
    engine: Engine, key: str, raw: int, *, on=CLOCK, now: datetime = NOW, contract=None, by_year=None
) -> Settlement:
    with engine.begin() as connection:
        return store.settle(connection, contract or retainer(), key, raw, on, now=now, by_year=by_year)


def buy(engine: Engine, seconds: int, *, key: str = "b", at: datetime = NOW) -> Posting:
    with engine.begin() as connection:
        return store.buy(connection, retainer(), seconds, key=key, note="invoice 7", at=at)


def available(engine: Engine, now: datetime = NOW, contract=None) -> int | None:
    with reading(engine) as connection:
        assert not ledger.verify(connection, contract or retainer()).faults
        return ledger.balance(connection, contract or retainer(), now).available


def test_a_hold_and_its_settlement(engine: Engine) -> None:
    """5 hours: 1 held leaves 4; 20 minutes of work are charged as 30, the other 30 come back."""
    assert hold(engine, "r") == Hold("r", NOW, HOUR, 0)
    assert available(engine) == 4 * HOUR
    assert settle(engine, "r", 1200) == Settlement("r", HOUR, 1200, 1800, 1800, 0)
    assert available(engine) == 4.5 * HOUR


def test_work_that_takes_longer_uses_what_is_there_then_overage(engine: Engine) -> None:
    """1 hour was held, 7 were worked, 5 existed: 2 hours of overage are on record, nothing is below zero."""
    hold(engine, "r")
    done = settle(engine, "r", 7 * HOUR)
    assert (done.charged, done.overage) == (7 * HOUR, 2 * HOUR)
    assert available(engine) == 0
    with reading(engine) as connection:
        account = ledger.year_account(connection, retainer(), 2026, NOW)
    assert (account.granted, account.used, account.overage, account.closing) == (
        5 * HOUR,
        5 * HOUR,
        2 * HOUR,
        0,
    )


def test_hours_that_do_not_suffice_are_refused_with_what_to_buy(engine: Engine) -> None:
    """The refusal names what is needed, what there is and the purchase, and leaves no trace at all."""
    with pytest.raises(
        HoursInsufficient, match=r"(?s)5:15 are needed on 2026-11-24, 5:00 are.*--hours 0:15 "
    ):
        hold(engine, "r", 5 * HOUR + 1)
    with reading(engine) as connection:
        assert rows(connection) == [0, 0, 0, 0]


def test_work_that_may_continue_holds_what_there_is(engine: Engine) -> None:
    """6 hours are wanted, 5 held; the settlement reports the sixth as overage."""
    assert hold(engine, "r", 6 * HOUR, on=GOES_ON) == Hold("r", NOW, 5 * HOUR, HOUR)
    assert hold(engine, "s", HOUR, on=GOES_ON) == Hold("s", NOW, 0, HOUR)
    assert settle(engine, "r", 6 * HOUR, on=GOES_ON).overage == HOUR
    assert settle(engine, "s", 60, on=GOES_ON).overage == 900


def test_free_work_is_on_record_and_holds_nothing(engine: Engine) -> None:
    """A check of 10 minutes shows its raw seconds in the log and costs nothing, also with no hours left."""
    free = terms(Charge.NONE, None, WhenUsedUp.CONTINUE)
    hold(engine, "all", 5 * HOUR)
    assert hold(engine, "c", 600, on=free).held == 0
    assert settle(engine, "c", 600, on=free) == Settlement("c", 0, 600, 900, 0, 0)


def test_fixed_work_costs_its_price(engine: Engine) -> None:
    """45 minutes, however long it took, and whatever the estimate said."""
    assert hold(engine, "p", 7 * HOUR, on=FIXED).held == 2700
    assert settle(engine, "p", 61, on=FIXED) == Settlement("p", 2700, 61, 900, 2700, 0)


def test_voiding_gives_everything_back(engine: Engine) -> None:
    """Work that did not take place costs nothing; the reason is in the log."""
    hold(engine, "r")
    with engine.begin() as connection:
        store.void(connection, "r", "cancelled", NOW)
    assert available(engine) == 5 * HOUR
    with reading(engine) as connection:
        last = ledger.log(connection, retainer())[-1]
    assert (last.key, last.posting.kind, last.posting.seconds, last.posting.note) == (
        "r",
        "void",
        HOUR,
        "cancelled",
    )


def test_a_comprehensive_contract_logs_without_a_cap(engine: Engine) -> None:
    """A hundred hours are held and charged; there are no lots, no overage and nothing to buy."""
    contract = comprehensive()
    assert hold(engine, "g", 100 * HOUR, contract=contract) == Hold("g", NOW, 100 * HOUR, 0)
    assert settle(engine, "g", 90 * HOUR, contract=contract).overage == 0
    assert available(engine, contract=contract) is None
    with reading(engine) as connection:
        account = ledger.year_account(connection, contract, 2026, NOW)
        assert (account.uncapped, account.used, account.closing) == (90 * HOUR, 0, 0)
    with engine.begin() as connection, pytest.raises(UsageError, match="comprehensive"):
        store.buy(connection, contract, HOUR, key="b", note="", at=NOW)


def test_a_hold_uses_the_lots_of_its_planned_time(engine: Engine) -> None:
    """Work planned for January is held from next year's hours, which are granted for it, once."""
    january = datetime(2027, 1, 5, tzinfo=UTC)
    hold(engine, "later", 2 * HOUR, at=january)
    assert available(engine) == 5 * HOUR
    assert available(engine, january) == 3 * HOUR
    with pytest.raises(HoursInsufficient):
        hold(engine, "too much", 4 * HOUR, at=january)


def test_a_years_hours_expire_and_prepaid_ones_do_not(engine: Engine) -> None:
    """New Year's midnight in Dubai: 5 hours of 2026 less 1 used expire, 2 prepaid hours are carried over."""
    buy(engine, 2 * HOUR)
    hold(engine, "r")
    settle(engine, "r", HOUR)
    midnight = datetime(2027, 1, 1, tzinfo=ZoneInfo("Asia/Dubai"))
    assert available(engine, midnight - timedelta(seconds=1)) == 6 * HOUR
    assert available(engine, midnight) == 7 * HOUR
    with reading(engine) as connection:
        old = ledger.year_account(connection, retainer(), 2026, midnight)
        new = ledger.year_account(connection, retainer(), 2027, midnight)
    assert (old.granted, old.bought, old.used, old.expired, old.closing) == (
        5 * HOUR,
        2 * HOUR,
        HOUR,
        4 * HOUR,
        2 * HOUR,
    )
    assert (new.opening, new.granted, new.closing) == (2 * HOUR, 5 * HOUR, 7 * HOUR)


def test_an_expired_lot_is_shown_only_while_something_is_held_in_it(engine: Engine) -> None:
    """In January the old year's lot is gone from the balance, unless a hold of December is still open."""
    january = datetime(2027, 1, 5, tzinfo=UTC)
    hold(engine, "r")

    def years() -> list[int | None]:
        with reading(engine) as connection:
            return [lot.year for lot in ledger.balance(connection, retainer(), january).lots]

    assert years() == [2026, 2027]
    settle(engine, "r", HOUR)
    assert years() == [2027]


def test_work_across_the_years_end_is_split_there(engine: Engine) -> None:
    """Held on 31 December, 30 minutes worked before midnight and 40 after: each year pays its own."""
    evening = datetime(2026, 12, 31, 23, 30, tzinfo=ZoneInfo("Asia/Dubai"))
    hold(engine, "n", at=evening)
    later = evening + timedelta(minutes=70)
    done = settle(engine, "n", 4200, now=later, by_year={2026: 1800, 2027: 2400})
    assert (done.charged, done.overage) == (4500, 0)
    with reading(engine) as connection:
        old = ledger.year_account(connection, retainer(), 2026, later)
        new = ledger.year_account(connection, retainer(), 2027, later)
    assert (old.used, old.expired, old.closing) == (1800, 5 * HOUR - 1800, 0)
    assert (new.used, new.closing) == (2700, 5 * HOUR - 2700)


def test_the_retainers_hours_are_used_before_prepaid_ones(engine: Engine) -> None:
    """7 hours from 5 and 3: the year's are empty, one prepaid hour is left."""
    buy(engine, HOUR, key="first", at=NOW - timedelta(days=2))
    buy(engine, 2 * HOUR, key="second", at=NOW - timedelta(days=1))
    hold(engine, "r", 7 * HOUR)
    with reading(engine) as connection:
        balance = ledger.balance(connection, retainer(), NOW)
    assert [(lot.kind, lot.available, lot.held) for lot in balance.lots] == [
        ("retainer", 0, 5 * HOUR),
        ("prepaid", 0, HOUR),
        ("prepaid", HOUR, HOUR),
    ]


def test_reading_writes_nothing(engine: Engine) -> None:
    """A year's hours that nothing was posted for are shown, and no row appears."""
    assert available(engine) == 5 * HOUR
    with reading(engine) as connection:
        assert ledger.year_account(connection, retainer(), 2026, NOW).granted == 5 * HOUR
        assert ledger.log(connection, retainer()) == []
        assert rows(connection) == [0, 0, 0, 0]


def test_a_repeated_request_gives_the_same_answer_and_no_posting(engine: Engine) -> None:
    """Each operation three times: one posting, three equal answers, whatever the clock says by then."""
    for operation in (
        lambda: hold(engine, "r"),
        lambda: settle(engine, "r", 1200, now=NOW + timedelta(hours=1)),
        lambda: hold(engine, "r"),
        lambda: buy(engine, HOUR),
    ):
        first = operation()
        with reading(engine) as connection:
            before = rows(connection)
        assert [operation(), operation()] == [first, first]
        with reading(engine) as connection:
            assert rows(connection) == before
    with engine.begin() as connection:
        store.ensure_year(connection, retainer(), 2026, NOW)
        assert rows(connection) == before


@pytest.mark.parametrize(
    "other",
    [
        lambda engine: hold(engine, "r", 2 * HOUR),
        lambda engine: hold(engine, "r", at=NOW + timedelta(days=1)),
        lambda engine: hold(engine, "r", contract=retainer(number="T-9")),
        lambda engine: settle(engine, "r", 1201),
        lambda engine: buy(engine, 2 * HOUR),
        lambda engine: settle(engine, "unheld", 1200),
        lambda engine: settle(engine, "open", 1200, contract=retainer(number="T-9")),
    ],
)
def test_a_key_that_comes_with_another_request_is_refused(engine: Engine, other) -> None:
    """A key stands for one request of one contract; the refusal changes nothing."""
    hold(engine, "r")
    settle(engine, "r", 1200)
    hold(engine, "open")
    buy(engine, HOUR)
    before = available(engine)
    with pytest.raises(UsageError, match=r"already used|no hold"):
        other(engine)
    assert available(engine) == before


def test_a_hold_is_settled_or_voided_never_both(engine: Engine) -> None:
    """The second closing is refused, whichever came first; voiding twice is one voiding."""
    hold(engine, "a")
    hold(engine, "b")
    settle(engine, "a", HOUR)
    with engine.begin() as connection:
        first = store.void(connection, "b", "cancelled", NOW)
        assert store.void(connection, "b", "again", NOW) == first
    with engine.begin() as connection, pytest.raises(UsageError, match="settle number"):
        store.void(connection, "a", "too late", NOW)
    with pytest.raises(UsageError, match="void number"):
        settle(engine, "b", HOUR)
    with engine.begin() as connection, pytest.raises(UsageError, match="no hold"):
        store.void(connection, "unheld", "", NOW)
    assert available(engine) == 4 * HOUR


def test_each_posting_records_the_contracts_version(engine: Engine) -> None:
    """Held under version 1, settled under version 2: the log tells which rule was in force."""
    hold(engine, "r")
    settle(engine, "r", 1200, contract=retainer(version=2, increment=30))
    with reading(engine) as connection:
        log = ledger.log(connection, retainer())
    assert [(line.posting.kind, line.posting.contract_version) for line in log] == [
        ("grant", 1),
        ("hold", 1),
        ("settle", 2),
    ]


def test_a_change_of_the_years_hours_is_shown_not_hidden(engine: Engine) -> None:
    """5 hours were posted, the file says 8 now: the balance tells both, the lot stays."""
    hold(engine, "r")
    with reading(engine) as connection:
        balance = ledger.balance(connection, retainer(8, version=2), NOW)
    assert (balance.entitled, balance.granted, balance.available) == (8 * HOUR, 5 * HOUR, 4 * HOUR)


def test_a_rolled_back_transaction_leaves_no_trace(engine: Engine) -> None:
    """Hold and purchase vanish with the caller's transaction, and the next ones find the old state."""
    with engine.connect() as connection:
        store.hold(connection, retainer(), CLOCK, "r", seconds=HOUR, planned_at=NOW, now=NOW)
        store.buy(connection, retainer(), HOUR, key="b", note="", at=NOW)
        connection.rollback()
    with reading(engine) as connection:
        assert rows(connection) == [0, 0, 0, 0]
    hold(engine, "r", 5 * HOUR)


def test_a_process_killed_before_its_commit_leaves_no_trace(engine: Engine, database_url: str) -> None:
    """kill -9 between the hold and the commit: no row, no lock, and all five hours are there."""
    program = (
        "import os, signal, sys\n"
        "from datetime import UTC, datetime\n"
        "from orchestrator.database.engine import connect\n"
        "from orchestrator.ledger import store\n"
        "from tests.unit.ledger.agreements import retainer, terms\n"
        "now = datetime(2026, 11, 24, 9, tzinfo=UTC)\n"
        "with connect(sys.argv[1]).begin() as connection:\n"
        "    store.hold(connection, retainer(), terms(), 'r', seconds=3600, planned_at=now, now=now)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, database_url], timeout=60, check=False)
    assert done.returncode == -9
    with reading(engine) as connection:
        assert rows(connection) == [0, 0, 0, 0]
    hold(engine, "r", 5 * HOUR)


@pytest.mark.parametrize("table", [postings, entries])
@pytest.mark.parametrize("verb", ["UPDATE {0} SET seconds = seconds + 1", "DELETE FROM {0}"])
def test_the_database_refuses_to_change_what_was_posted(engine: Engine, table, verb: str) -> None:
    """Neither a program nor a person with SQL changes or deletes a posting or an entry by accident."""
    hold(engine, "r")
    with engine.begin() as connection, pytest.raises(DBAPIError, match="append-only"):
        connection.exec_driver_sql(verb.format(table.name))


def test_a_lot_moves_only_while_enough_is_available(engine: Engine) -> None:
    """A posting made on an old view of its lot, six hours of five, is turned away and posts nothing."""
    hold(engine, "r")
    with engine.connect() as connection:
        before = rows(connection)
        among = lots_of(connection, "T-1")
        moves = rules.held([Part(next(iter(among)), 6 * HOUR)], 2026)
        stale = Posting(Kind.HOLD, "hold:s", "", 1, NOW, 6 * HOUR, planned_at=NOW)
        with pytest.raises(AmcError, match="try again"):
            append(connection, "T-1", stale, moves, among)
        assert rows(connection) == before


def test_the_database_refuses_a_lot_below_zero_and_a_second_closing(engine: Engine) -> None:
    """What the program takes care of, the schema holds as well."""
    hold(engine, "r")
    settle(engine, "r", HOUR)
    with engine.begin() as connection, pytest.raises(DBAPIError, match="available"):
        connection.execute(lots.update().values(available=-1))
    with engine.begin() as connection, pytest.raises(DBAPIError, match="hold_id"):
        closed = connection.execute(select(postings).where(postings.c.kind == "settle")).mappings().one()
        twice = dict(closed) | {"id": 99, "sequence": 99, "key": "close:again"}
        connection.execute(postings.insert().values(twice))
