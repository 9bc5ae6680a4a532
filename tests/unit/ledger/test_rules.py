"""The ledger's arithmetic: years, rounding, the order in which lots pay, and entries that add up to zero."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.activities import Charge
from orchestrator.ledger import rules
from orchestrator.ledger.rules import Account, Entry, Lot, LotKind, Part
from tests.unit.ledger.agreements import comprehensive, retainer, terms

DUBAI = ZoneInfo("Asia/Dubai")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
seconds = st.integers(0, 200_000)


def lot(
    number: int, available: int = 3600, *, kind: LotKind = LotKind.PREPAID, until: datetime | None = None
) -> Lot:
    year = 2026 if kind is LotKind.RETAINER else None
    bought = NOON - timedelta(days=30 - number)
    return Lot(number, kind, year, bought, until, bought, available)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        (date(2025, 3, 1), None, 73.0),
        (date(2026, 1, 1), date(2026, 12, 31), 73.0),
        (date(2026, 12, 31), None, 0.2),
        (date(2026, 3, 15), date(2026, 3, 24), 2.0),
    ],
)
def test_a_year_grants_its_hours_by_the_days_of_the_term(start: date, end: date | None, hours: float) -> None:
    """73 h a year are 0.2 h a day; the first and the last day count."""
    due = rules.entitlement(retainer(73, start=start, end=end), 2026)
    assert due is not None
    assert due.seconds == hours * 3600


def test_a_grant_is_valid_for_the_terms_days_of_the_year_on_the_contracts_clock() -> None:
    """Midnight is Dubai's, four hours before UTC's; the end is the first moment after the last day."""
    due = rules.entitlement(retainer(60, start=date(2026, 3, 1)), 2026)
    assert due is not None
    assert due.valid_from == datetime(2026, 3, 1, tzinfo=DUBAI)
    assert due.valid_until == datetime(2027, 1, 1, tzinfo=DUBAI)


@pytest.mark.parametrize("year", [2025, 2028])
def test_a_year_outside_the_term_grants_nothing(year: int) -> None:
    """Before the first and after the last day there are no hours."""
    contract = retainer(60, start=date(2026, 1, 1), end=date(2027, 12, 31))
    assert rules.entitlement(contract, year) is None


def test_a_comprehensive_contract_grants_nothing() -> None:
    """Work without a cap needs no hours."""
    assert rules.entitlement(comprehensive(), 2026) is None


@given(st.integers(1, 8784), st.dates(date(2026, 1, 1), date(2026, 12, 31)))
def test_the_two_halves_of_a_year_grant_the_year(per_year: int, last: date) -> None:
    """Two contracts that share a year out between them grant it, rounded up by less than a minute each."""
    whole = per_year * 3600
    first = rules.entitlement(retainer(per_year, end=last), 2026)
    second = rules.entitlement(retainer(per_year, start=last + timedelta(days=1)), 2026)
    assert whole <= (first.seconds if first else 0) + (second.seconds if second else 0) < whole + 120


@pytest.mark.parametrize(
    ("raw", "rounded"),
    [(0, 0), (1, 900), (899, 900), (900, 900), (901, 1800), (3600, 3600), (3601, 4500)],
)
def test_rounding_goes_up_and_leaves_exact_multiples(raw: int, rounded: int) -> None:
    """A quarter of an hour that was begun counts; one that is just full stays."""
    found = rules.effort(retainer().hours, terms(), raw)
    assert (found.raw, found.rounded, found.charged) == (raw, rounded, rounded)


@pytest.mark.parametrize(
    ("charge", "minutes", "raw", "charged"),
    [
        (Charge.NONE, None, 5000, 0),
        (Charge.FIXED, 50, 7000, 3000),
        (Charge.FIXED, 50, 10, 3000),
        (Charge.CLOCK, 60, 10, 1800),
        (Charge.CLOCK, 60, 1801, 2700),
        (Charge.CLOCK, 60, 0, 0),
    ],
)
def test_each_charge_by_its_own_rule(charge: Charge, minutes: int | None, raw: int, charged: int) -> None:
    """Nothing, the fixed minutes as they are, or the clock with a minimum of half an hour."""
    found = rules.effort(retainer(minimum=30).hours, terms(charge, minutes), raw)
    assert (found.raw, found.charged) == (raw, charged)


@given(st.integers(0, 10**7), st.sampled_from([1, 6, 15, 20, 60]))
def test_rounding_is_the_next_multiple(raw: int, increment: int) -> None:
    """Rounded is a multiple, not below the raw seconds and less than one increment above."""
    rounded = rules.effort(retainer(increment=increment).hours, terms(), raw).rounded
    assert rounded % (increment * 60) == 0
    assert raw <= rounded < raw + increment * 60


def test_negative_work_is_a_mistake() -> None:
    """A clock that went backwards must not give hours."""
    with pytest.raises(ValueError, match="-1"):
        rules.effort(retainer().hours, terms(), -1)


def test_lots_pay_by_expiry_then_retainer_then_purchase() -> None:
    """Earliest expiry first; among equals the retainer's; then the older purchase; no expiry comes last."""
    new_year = datetime(2027, 1, 1, tzinfo=DUBAI)
    lots = [
        lot(5),
        lot(4),
        lot(3, until=new_year),
        lot(2, kind=LotKind.RETAINER, until=new_year),
        lot(1, until=new_year - timedelta(days=1)),
    ]
    assert [found.id for found in rules.in_order(lots, NOON)] == [1, 2, 3, 4, 5]


def test_a_lot_pays_only_while_it_is_valid() -> None:
    """Its first moment counts, its end does not."""
    one = lot(1, until=NOON)
    assert one.valid_at(one.valid_from)
    assert one.valid_at(NOON - timedelta(microseconds=1))
    assert not one.valid_at(NOON)
    assert not one.valid_at(one.valid_from - timedelta(microseconds=1))


@given(st.lists(seconds, max_size=6), seconds)
def test_taking_takes_in_order_and_no_more_than_there_is(available: list[int], wanted: int) -> None:
    """A lot is touched only when those before it are empty; parts and what is missing make the whole."""
    lots = [lot(number, amount) for number, amount in enumerate(available)]
    parts, missing = rules.take(lots, wanted)
    taken = dict(parts)
    assert sum(taken.values()) + missing == wanted
    assert missing == max(0, wanted - sum(available))
    assert all(taken[number] == available[number] for number in list(taken)[:-1])


raws = st.dictionaries(st.sampled_from([2025, 2026, 2027]), seconds, min_size=1)


@given(seconds, raws)
def test_a_split_charge_is_the_whole_charge(charged: int, raw: dict[int, int]) -> None:
    """Earlier years pay no more than was worked in them, the last year pays the rest."""
    shares = rules.split_charge(charged, raw)
    assert sum(shares.values()) == charged
    assert all(0 <= shares[year] <= raw[year] for year in sorted(raw)[:-1])


def test_work_across_a_years_end_is_split_on_the_contracts_clock() -> None:
    """From 23:30 to 00:45 in Dubai: 30 minutes of the old year, 45 of the new."""
    start = datetime(2026, 12, 31, 23, 30, tzinfo=DUBAI)
    spans = [(start, start + timedelta(minutes=75))]
    assert rules.raw_by_year(retainer(), spans) == {2026: 1800, 2027: 2700}


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**10)), max_size=5))
def test_raw_seconds_drop_fractions_once(gaps: list[tuple[int, int]]) -> None:
    """The years' seconds add up to the whole seconds of the sum, whatever the microseconds."""
    moment, spans, total = datetime(2026, 12, 31, 19, tzinfo=UTC), [], timedelta()
    for pause, length in gaps:
        start = moment + timedelta(microseconds=pause)
        moment = start + timedelta(microseconds=length)
        spans.append((start, moment))
        total += moment - start
    assert sum(rules.raw_by_year(retainer(), spans).values()) == total // timedelta(seconds=1)


def _balances(entries: list[Entry]) -> Counter[int]:
    sums: Counter[int] = Counter()
    for entry in entries:
        sums[entry.year] += entry.seconds
    return sums


@given(
    st.lists(seconds, min_size=1, max_size=4),
    seconds,
    raws,
    st.booleans(),
)
def test_a_settlement_adds_up_and_never_overdraws(
    available: list[int], wanted: int, charged: dict[int, int], capped: bool
) -> None:
    """Zero in every year by itself, no lot below zero, all charges used, overage only where lots end."""
    contract = retainer() if capped else comprehensive()
    new_year = datetime(2027, 1, 1, tzinfo=DUBAI)
    lots = {
        number: lot(number, amount, kind=LotKind.RETAINER, until=new_year)
        if number == 0
        else lot(number, amount)
        for number, amount in enumerate(available)
    }
    parts, _ = rules.take(rules.in_order(lots.values(), NOON), wanted)
    hold = rules.held(parts, 2026)
    standing = rules.moved(lots, hold)
    entries = rules.settled(contract, standing.values(), hold, NOON, charged)
    after = rules.moved(standing, entries)
    assert set(_balances(entries).values()) <= {0}
    assert all(one.available >= 0 for one in after.values())
    used = sum(entry.seconds for entry in entries if entry.account is Account.USED)
    assert used == sum(charged.values())
    held = sum(entry.seconds for entry in entries if entry.account is Account.HELD)
    assert held == -sum(part.seconds for part in parts)
    overage = {entry.year for entry in entries if entry.account is Account.OVERAGE}
    if not capped:
        assert after == lots
        assert not overage
    if 2026 in overage and 2025 not in charged and 2027 not in charged:
        assert sum(one.available for one in after.values()) == 0


def test_a_settlement_uses_what_it_held_before_other_lots() -> None:
    """Hours that freed up in an earlier lot meanwhile stay there: the hold's own lot pays."""
    first, second = lot(1, 3600), lot(2, 0)
    hold = rules.held([Part(2, 1800)], 2026)
    entries = rules.settled(retainer(), [first, second], hold, NOON, {2026: 2700})
    assert rules.available_changes(entries) == {1: -900}
    assert Entry(Account.USED, 2, 2026, 1800) in entries
    assert Entry(Account.USED, 1, 2026, 900) in entries


def test_work_in_the_next_year_is_not_paid_by_the_old_years_lot() -> None:
    """A hold of 2026 for work that was done in 2027 goes back, and 2027's lot pays."""
    new_year = datetime(2027, 1, 1, tzinfo=DUBAI)
    old = lot(1, 0, kind=LotKind.RETAINER, until=new_year)
    new = Lot(2, LotKind.RETAINER, 2027, new_year, datetime(2028, 1, 1, tzinfo=DUBAI), NOON, 7200)
    hold = rules.held([Part(1, 3600)], 2026)
    entries = rules.settled(retainer(), [old, new], hold, NOON, {2027: 3600})
    assert rules.available_changes(entries) == {1: 3600, 2: -3600}
