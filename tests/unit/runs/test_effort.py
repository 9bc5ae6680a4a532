"""Effort: the spans in which something of a run really ran."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runs.effort import Interval, spans

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATE = NOON + timedelta(days=1)


def at(*seconds: int) -> list[Interval]:
    """at(0, 10, 20, 30): from 0 to 10 and from 20 to 30 seconds after noon."""
    moments = [NOON + timedelta(seconds=second) for second in seconds]
    return list(zip(moments[::2], moments[1::2], strict=True))


def test_the_gap_between_two_attempts_is_no_effort() -> None:
    """The orchestrator was down from 10 to 100."""
    assert spans(at(0, 10, 100, 130), [], LATE) == at(0, 10, 100, 130)


def test_a_unit_that_ran_on_while_the_controller_was_down_counts() -> None:
    """apt on the server went on until 60."""
    assert spans(at(0, 10, 100, 130), at(5, 60), LATE) == at(0, 60, 100, 130)


def test_servers_that_work_at_the_same_time_count_once() -> None:
    """Two servers patched in parallel take the time of the longer one."""
    assert spans(at(0, 5), at(1, 30, 2, 20), LATE) == at(0, 30)


def test_a_servers_wrong_clock_charges_nothing_outside_the_run() -> None:
    """A unit said to have started an hour before, and ended a day after, is cut to the run."""
    assert spans(at(0, 10), at(-3600, 90000), NOON + timedelta(seconds=40)) == at(0, 40)


def test_without_a_heartbeat_nothing_ran() -> None:
    """Not even when a report of an earlier run were found."""
    assert spans([], at(0, 100), LATE) == []
    assert spans(at(5, 5), at(0, 100), LATE) == []


INTERVALS = st.lists(
    st.tuples(st.integers(0, 1000), st.integers(0, 200)).map(lambda pair: at(pair[0], pair[0] + pair[1])[0])
)


@given(INTERVALS, INTERVALS)
def test_spans_never_overlap_and_never_exceed_the_run(
    controller: list[Interval], servers: list[Interval]
) -> None:
    """Whatever overlaps, a second is counted once, and only if it is in one of the intervals."""
    until = NOON + timedelta(seconds=1100)
    found = spans(controller, servers, until)
    assert all(first[1] < second[0] for first, second in pairwise(found))
    for moment in range(0, 1200, 7):
        inside = NOON + timedelta(seconds=moment, milliseconds=500)
        beats = [pair for pair in controller if pair[0] < pair[1]]
        expected = any(start <= inside < end for start, end in beats) or bool(
            beats
            and min(start for start, _ in beats) <= inside < until
            and any(start <= inside < end for start, end in servers)
        )
        assert any(start <= inside < end for start, end in found) == expected
