"""When a run may begin, for any activity, moment and reason."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.activities import DEFAULTS
from orchestrator.contracts.closures import Emergency
from orchestrator.runs.timing import FREE, timing
from orchestrator.schedule.occurrences import expected
from orchestrator.schedule.placement import is_one_room
from tests.unit.runs.test_view import CONTRACT

AGREED = CONTRACT.model_copy(update={"emergency": Emergency(allowed=True)})
START = datetime(2026, 11, 1, tzinfo=UTC)
moments = st.integers(0, 60 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


@given(st.sampled_from(sorted(DEFAULTS)), moments, moments | st.none())
def test_what_may_stop_m_ems_never_begins_outside_a_window(
    activity: str, now: datetime, wished: datetime | None
) -> None:
    """It has room for as long as it is expected to take; all else begins when it is wished, or at once."""
    found = timing(AGREED, activity, now=now, wished=wished)
    begin = found.at or now
    assert found.at is None or found.at > now
    assert begin >= max(now, wished or now)
    if activity in FREE:
        assert begin == max(now, wished or now)
    else:
        assert is_one_room(AGREED, begin, begin + expected(AGREED, activity))  # type: ignore[arg-type]


@given(st.sampled_from(sorted(DEFAULTS)), moments)
def test_with_a_reason_it_goes_at_once_and_only_an_emergency_is_noted(activity: str, now: datetime) -> None:
    """As an emergency where it would have to wait otherwise."""
    waits = timing(AGREED, activity, now=now).at is not None
    assert timing(AGREED, activity, now=now, urgent="a hole") == (None, "a hole" if waits else None, ())


@pytest.mark.parametrize("more", [{"check": True}, {"is_first": True}])
def test_a_check_and_a_first_deployment_never_wait(more: dict[str, bool]) -> None:
    """The deployment of another server does."""
    assert timing(AGREED, "deploy", now=START, **more).at is None  # type: ignore[arg-type]
    assert timing(AGREED, "deploy", now=START).at is not None
