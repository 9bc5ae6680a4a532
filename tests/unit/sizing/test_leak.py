"""A leak is told from work: what rises and falls by itself, and what happened once."""

from collections.abc import Callable

import pytest

from orchestrator.sizing.leak import find_leak
from orchestrator.sizing.load import HOUR, Point, Series
from tests.unit.sizing.histories import MIB, NOW

HOURS = 56 * 24


def memory(level: Callable[[int], float]) -> Series:
    """MiB by the hour since the start of the last 56 days."""
    return tuple(Point(NOW - (HOURS - 1 - i) * HOUR, level(i) * MIB) for i in range(HOURS))


def _working_day(hour: int) -> float:
    return 500 + 400 * (8 <= hour % 24 < 18)


def test_a_leak_may_be_new() -> None:
    """Weeks of work, then three restarts in nine days: it came with an update."""
    found = find_leak(memory(lambda i: _working_day(i) if i < HOURS - 220 else 500 + 8 * (i % 60)), NOW)
    assert found
    assert 2 <= found.restarts <= 4


@pytest.mark.parametrize("period", [40, 144, 300])
def test_a_sawtooth_is_a_leak(period: int) -> None:
    """Rising to the double until a restart, each 40 hours or each two weeks; the growth is per day."""
    found = find_leak(memory(lambda i: 500 * (1 + (i % period) / period)), NOW)
    assert found
    assert found.restarts == (HOURS - 1) // period
    assert found.mib_per_day == pytest.approx(24 * 500 / period, rel=0.05)


@pytest.mark.parametrize(
    "level",
    [
        pytest.param(lambda i: 900, id="nothing happens"),
        pytest.param(_working_day, id="working days"),
        pytest.param(lambda i: 500 + 40 * min(10, i % 24) if i % 24 < 20 else 500, id="days that rise"),
        pytest.param(lambda i: 500 + 800 * min(1, i % 168 / 8), id="a cache that fills after each restart"),
        pytest.param(lambda i: 500 + i / 4, id="growth without an end"),
        pytest.param(lambda i: 500 + (i if i < 700 else i - 700), id="one restart"),
        pytest.param(lambda i: _working_day(i) if i > 180 else 500 + 8 * (i % 60), id="long ago"),
    ],
)
def test_this_is_none(level: Callable[[int], float]) -> None:
    """The load in the test's id."""
    assert find_leak(memory(level), NOW) is None
