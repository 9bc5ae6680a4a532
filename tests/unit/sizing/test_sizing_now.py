"""The load of now: what is a saturation that counts, and what is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.sizing.acute import Acute, acute
from orchestrator.sizing.catalogue import find, read
from orchestrator.sizing.load import Load, Point
from orchestrator.sizing.margins import Margins, Moment
from orchestrator.sizing.rules import Direction, Present, recommend
from tests.unit.sizing.histories import NOW, STEP, ZONE, Erp, recent

MEDIUM = find("lab.medium")
MOMENT = Moment(NOW, ZONE)
LOAD = Erp(days=30).load()


def now_of(use: float, waiting: float, response: float, minutes: float = 6, load: Load = LOAD) -> Load:
    return replace(load, recent=recent(NOW, use, waiting, response, timedelta(minutes=minutes)))


def found(load: Load, spec: str = "lab.medium", now: datetime = NOW) -> Acute | None:
    return acute(load, find(spec), Moment(now, ZONE))


@pytest.mark.parametrize(
    ("use", "waiting", "response", "counts"),
    [
        (1.0, 0.45, 1.2, True),  # full, tasks wait, users wait
        (1.0, 0.45, 0.1, True),  # pressure alone
        (1.0, 0.05, 1.2, True),  # the objective alone
        (1.0, 0.05, 0.1, False),  # full, and nobody waits
        (0.8, 0.45, 1.2, False),  # slow, and not for want of CPUs
    ],
)
def test_full_and_somebody_waits(use: float, waiting: float, response: float, counts: bool) -> None:
    """Use alone is no saturation: it takes tasks or users that wait."""
    assert (found(now_of(use, waiting, response)) is not None) is counts


def test_it_has_to_last() -> None:
    """Four minutes are a moment, five are a load; the margin can be another one."""
    assert found(now_of(1.0, 0.5, 1.0, 4)) is None
    assert found(now_of(1.0, 0.5, 1.0, 5))
    one = Moment(NOW, ZONE, Margins(acute_for=timedelta(minutes=1)))
    assert acute(now_of(1.0, 0.5, 1.0, 1), MEDIUM, one)


def test_two_minutes_of_values_are_no_five() -> None:
    """A server that is monitored for two minutes was not seen saturated for five."""
    load = now_of(1.0, 0.5, 1.0)
    cpu = load.recent.cpu[-8:]
    assert found(replace(load, recent=replace(load.recent, cpu=cpu))) is None


def test_how_long_and_how_much() -> None:
    """Since when it lasts, and the demand: use x (1 + waiting)."""
    seen = found(now_of(1.0, 0.5, 1.0, 8))
    assert seen
    assert (seen.since, seen.lasts) == (NOW - timedelta(minutes=8), timedelta(minutes=8))
    assert (seen.use, seen.demand, seen.waiting, seen.response) == (1.0, 1.5, 0.5, 1.0)


def test_a_single_quiet_scrape_does_not_end_it() -> None:
    """One of twenty points below the line is noise, five are not."""
    load = now_of(1.0, 0.5, 1.0, 10)
    for quiet, counts in ((1, True), (5, False)):
        times = {NOW - (i + 3) * STEP for i in range(quiet)}
        cpu = tuple(Point(at, 0.2 if at in times else value) for at, value in load.recent.cpu)
        assert (found(replace(load, recent=replace(load.recent, cpu=cpu))) is not None) is counts


def test_what_ended_is_history() -> None:
    """A saturation that ended minutes ago, and values that stopped coming, are not now."""
    load = now_of(1.0, 0.5, 1.0, 10)
    assert found(load, now=NOW + timedelta(minutes=4)) is None
    assert found(replace(load, recent=replace(load.recent, cpu=()))) is None


def test_a_nightly_batch_at_its_hour_is_no_saturation() -> None:
    """At 02:15 a batch that comes each night does not count, unless users wait longer than agreed."""
    night = datetime(2026, 11, 24, 2, 15, tzinfo=UTC)
    batch = Erp(days=30, batch=True).load(night)
    quiet = Erp(days=30).load(night)
    for load, response, counts in ((batch, 0.1, False), (batch, 0.9, True), (quiet, 0.1, True)):
        now = recent(night, 1.0, 0.8, response, timedelta(minutes=14))
        assert (found(replace(load, recent=now), now=night) is not None) is counts


def test_a_burstable_type_without_credits_needs_what_lasts() -> None:
    """Held at its baseline with tasks waiting, a t3 has used up its credits; at full use it has not."""
    erp = Erp(days=30, cpus=2, memory_mib=4096, busy=0.3)
    current = find("t3.medium")
    held = now_of(0.4, 0.6, 0.9, load=erp.load())
    said = recommend(held, Present("aws", current), read(), MOMENT)
    assert (said.direction, said.recommended) == (Direction.UP, find("m6i.large"))
    bursting = now_of(1.3, 0.25, 0.9, load=erp.load())
    said = recommend(bursting, Present("aws", current), read(), MOMENT)
    assert said.recommended
    assert said.recommended.cpus >= 1.3 * 1.25 / 0.8


def test_the_size_follows_history_and_now() -> None:
    """The larger of both counts."""
    present = Present("lab", MEDIUM)
    assert recommend(now_of(1.0, 0.2, 1.0), present, read(), MOMENT).recommended == find("lab.large")
    assert recommend(now_of(1.0, 0.9, 3.0), present, read(), MOMENT).recommended == find("lab.xlarge")
