"""Whatever happens in whatever order, the ledger's sums hold: random histories against a plain model."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, select

from orchestrator.contracts.activities import ActivityTerms, Charge, WhenUsedUp
from orchestrator.contracts.model import Contract
from orchestrator.database.engine import connect
from orchestrator.errors import HoursInsufficient
from orchestrator.ledger import reading as ledger
from orchestrator.ledger import rules, store
from orchestrator.ledger.tables import entries, lots, postings
from tests.unit.ledger.agreements import comprehensive, retainer, terms

START = datetime(2026, 12, 30, 6, tzinfo=UTC)
CONTRACTS = count(1)

priced = st.one_of(
    st.builds(terms, st.just(Charge.NONE), st.none(), st.sampled_from(WhenUsedUp)),
    st.builds(
        terms, st.sampled_from([Charge.FIXED, Charge.CLOCK]), st.integers(1, 300), st.sampled_from(WhenUsedUp)
    ),
)
amounts = st.integers(0, 12_000)
steps = st.one_of(
    st.tuples(st.just("buy"), st.integers(1, 9000)),
    st.tuples(st.just("hold"), priced, amounts, st.integers(0, 72)),
    st.tuples(st.just("settle"), amounts, st.booleans()),
    st.tuples(st.just("void")),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)


@dataclass
class Model:
    """What a careful clerk would know: sums, and the holds that are open."""

    now: datetime = START
    bought: int = 0
    charged: int = 0
    overage: int = 0
    open: dict[str, tuple[ActivityTerms, datetime, int]] = field(default_factory=dict)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    opened = connect(database_url)
    yield opened
    opened.dispose()


def play(
    connection: Connection, contract: Contract, model: Model, number: int, step: tuple[object, ...]
) -> None:
    """One step on the ledger and in the model; a step that has nothing to act on does nothing."""
    match step:
        case ("wait", int(hours)):
            model.now += timedelta(hours=hours)
        case ("buy", int(seconds)) if rules.is_capped(contract):
            key = f"{contract.number}-{number}"
            store.buy(connection, contract, seconds, key=key, note="", at=model.now)
            model.bought += seconds
        case ("hold", ActivityTerms() as on, int(seconds), int(ahead)):
            key, planned = f"{contract.number}-{number}", model.now + timedelta(hours=ahead)
            wanted = rules.effort(contract.hours, on, seconds).charged
            free = ledger.balance(connection, contract, planned).available
            try:
                done = store.hold(
                    connection, contract, on, key, seconds=seconds, planned_at=planned, now=model.now
                )
            except HoursInsufficient:
                assert on.when_used_up is WhenUsedUp.REFUSE
                assert free is not None
                assert free < wanted
                return
            assert done.held == (wanted if free is None else min(wanted, free))
            assert done.held == wanted or on.when_used_up is WhenUsedUp.CONTINUE
            model.open[key] = (on, planned, done.held)
        case ("settle", int(raw), bool(across)) if model.open:
            key, (on, planned, _) = model.open.popitem()
            year = contract.year_of(planned)
            by_year = {year: raw // 2, year + 1: raw - raw // 2} if across else None
            settled = store.settle(connection, contract, key, raw, on, now=model.now, by_year=by_year)
            model.charged += settled.charged
            model.overage += settled.overage
        case ("void",) if model.open:
            key, _ = model.open.popitem()
            store.void(connection, key, "", model.now)


def check(connection: Connection, contract: Contract, model: Model) -> None:
    """Every sum that must hold after any step."""
    mine = postings.c.contract == contract.number
    unbalanced = (
        select(entries.c.posting_id)
        .join(postings)
        .where(mine)
        .group_by(entries.c.posting_id, entries.c.year)
        .having(func.sum(entries.c.seconds) != 0)
    )
    assert connection.execute(unbalanced).all() == []
    verification = ledger.verify(connection, contract)
    assert verification.faults == ()
    lowest = select(func.min(lots.c.available)).where(lots.c.contract == contract.number)
    assert (connection.execute(lowest).scalar() or 0) >= 0
    balance = ledger.balance(connection, contract, model.now)
    assert balance.held == sum(held for _, _, held in model.open.values())
    # The end of everything: 2028 is the first year that no step can reach.
    end = datetime(2028, 1, 1, tzinfo=contract.zone)
    accounts = [ledger.year_account(connection, contract, year, end) for year in range(2026, 2029)]
    for account, following in pairwise(accounts):
        assert following.opening == account.closing
    for account in accounts:
        gained = account.opening + account.granted + account.bought
        assert account.closing == gained - account.used - account.held - account.expired
        assert min(account.closing, account.used, account.expired, account.overage, account.uncapped) >= 0
    assert sum(account.bought for account in accounts) == model.bought
    assert sum(account.overage for account in accounts) == model.overage
    used = sum(account.used + account.overage + account.uncapped for account in accounts)
    assert used == model.charged


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(per_year=st.sampled_from([0, 1, 2, 5]), history=st.lists(steps, min_size=4, max_size=14))
def test_the_sums_hold_in_every_history(
    engine: Engine, per_year: int, history: list[tuple[object, ...]]
) -> None:
    """Across a year's end, with holds, settlements, voidings and purchases in any order (0 h: comprehensive).

    No lot below zero; entries add up to zero in each posting and year; a year's closing is its opening and
    grants and purchases less what was used, held and expired, and the next year's opening; what the clerk's
    model charged, bought and held is what the ledger says.
    """
    name = f"H-{next(CONTRACTS)}"
    contract = retainer(per_year, number=name, minimum=30) if per_year else comprehensive(name)
    model = Model()
    for number, step in enumerate(history):
        with engine.begin() as connection:
            play(connection, contract, model, number, step)
    with engine.begin() as connection:
        check(connection, contract, model)
