"""Orders and the ids of runs."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from orchestrator.errors import UsageError
from orchestrator.runs.order import Order, run_id


def order(**other: object) -> Order:
    return Order(
        **{"customer": "acme", "activity": "patch", "servers": ("a", "b"), "cause": "engineer", "key": "k"}
        | other
    )


def test_the_same_request_has_the_same_digest() -> None:
    """Whoever orders, and in whichever order the servers are named."""
    assert order().digest() == order(cause="schedule", servers=("b", "a"), key="other").digest()


@pytest.mark.parametrize(
    "other",
    [
        {"customer": "globex"},
        {"activity": "check"},
        {"servers": ("a",)},
        {"check": True},
        {"options": {"without_proven_backup": "why"}},
        {"options": {"without_proven_backup": "why not"}},
    ],
)
def test_another_request_has_another_digest(other: dict[str, object]) -> None:
    """One key can't stand for two different orders."""
    assert order(**other).digest() != order().digest()


def test_an_order_without_options_has_the_digest_it_always_had() -> None:
    """A key that was used before there were options still stands for the same order."""
    assert order().digest() == "35234e4cb5c77dfaf46f15613ace146b596a392417fd679558ef759adf7c2caa"
    one, two = {"only": "files", "to": "x"}, {"to": "x", "only": "files"}
    assert order(options=one).digest() == order(options=two).digest()


@pytest.mark.parametrize("key", ["", " ", "-k", "k k", "k\n", "ü", "k" * 129])
def test_a_key_that_cannot_be_used_is_refused_in_words(key: str) -> None:
    """Keys are typed by people and appear in lists."""
    with pytest.raises(UsageError, match="can't be used"):
        order(key=key)


def test_a_run_id_is_readable_and_fit_for_a_unit_name() -> None:
    """Time in UTC, only a-z, 0-9 and hyphens."""
    at = datetime(2026, 11, 24, 12, 30, tzinfo=timezone(timedelta(hours=4)))
    assert run_id("acme", "patch", at, "x7k2") == "acme-patch-20261124-083000-x7k2"
    odd = run_id("Big.Shop_1", "check", datetime(2026, 1, 2, tzinfo=UTC), "zzzz")
    assert re.fullmatch(r"[a-z0-9-]+", odd)
