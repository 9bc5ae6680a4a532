"""What holds for every load: hypothesis looks for one for which it does not."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.sizing.catalogue import find, read
from orchestrator.sizing.choice import fits
from orchestrator.sizing.load import Load, Point, Series
from orchestrator.sizing.margins import Margins, Moment
from orchestrator.sizing.percentiles import equal, percentile, recurring_percentile
from orchestrator.sizing.rules import Direction, Present, Recommendation, recommend
from tests.unit.sizing.histories import MIB, NOW, ZONE, Erp

CATALOGUE = read()
MOMENT = Moment(NOW, ZONE)
quick = settings(max_examples=25, deadline=None, derandomize=True)

erps = st.builds(
    Erp,
    days=st.integers(30, 45),
    cpus=st.sampled_from([0.5, 1.0, 2.0]),
    memory_mib=st.sampled_from([1024, 2048, 4096]),
    busy=st.floats(0.05, 3.0),
    quiet=st.floats(0.0, 0.05),
    month_end=st.one_of(st.just(0.0), st.floats(0.05, 3.0)),
    working_set=st.floats(200, 3000),
    batch=st.booleans(),
    seed=st.integers(0, 1000),
)
specs = st.sampled_from([spec for spec in CATALOGUE.values() if spec.name != "lab.small"])


def judged(load: Load, name: str) -> Recommendation:
    spec = find(name)
    return recommend(load, Present(spec.provider, spec), CATALOGUE, MOMENT)


@quick
@given(erps, specs)
def test_never_below_what_was_seen(erp: Erp, spec: object) -> None:
    """Whatever is recommended carries 99 % of the hours and the highest working set that were measured.

    Or nothing of the provider does, and it is the largest.
    """
    load = erp.load()
    found = judged(load, spec.name)  # type: ignore[attr-defined]  # a Spec
    assert found.recommended and found.need
    rarest = recurring_percentile(equal(load.hourly.cpu), 0.99)
    highest = max(point.value for point in load.hourly.memory[-24 * 28 :]) / MIB
    if fits(found.recommended, found.need):
        assert found.recommended.cpus >= rarest
        assert found.recommended.memory_mib >= highest
    else:
        assert any("no specification of" in reason for reason in found.reasons)


@quick
@given(erps, specs, st.floats(1.0, 2.5))
def test_more_load_never_means_less_server(erp: Erp, spec: object, factor: float) -> None:
    """A load multiplied gets at least the price and the CPUs that the load itself gets."""
    base = replace(erp, cpus=8.0, memory_mib=32768)
    more = replace(base, busy=erp.busy * factor, quiet=erp.quiet * factor, month_end=erp.month_end * factor)
    name = spec.name  # type: ignore[attr-defined]  # a Spec
    less, greater = judged(base.load(), name).recommended, judged(more.load(), name).recommended
    assert less and greater
    assert (greater.usd_per_month, greater.cpus) >= (less.usd_per_month, less.cpus)


@quick
@given(erps, specs)
def test_down_is_one_step_and_fits(erp: Erp, spec: object) -> None:
    """A smaller size has at least half of the CPUs and of the memory, costs no more, and carries the need."""
    idle = replace(erp, busy=erp.busy / 10, month_end=0.0, working_set=erp.working_set / 4)
    found = judged(idle.load(), spec.name)  # type: ignore[attr-defined]  # a Spec
    if found.direction is Direction.DOWN:
        assert found.recommended and found.current and found.need
        assert found.recommended.cpus >= found.current.cpus / 2
        assert found.recommended.memory_mib >= found.current.memory_mib / 2
        assert found.recommended.usd_per_month <= found.current.usd_per_month
        assert fits(found.recommended, found.need.times(Margins().down_room))


@quick
@given(st.integers(0, 6 * 24 + 11), erps)
def test_less_than_seven_days_never_give_a_size(hours: int, erp: Erp) -> None:
    """Neither a size nor a date, whatever the load."""
    load = replace(erp, days=30).load()
    start = NOW - timedelta(hours=hours)
    kept = {name: tuple(p for p in series if p.at > start) for name, series in vars(load.hourly).items()}
    found = judged(replace(load, hourly=replace(load.hourly, **kept)), "lab.medium")
    assert (found.direction, found.recommended) == (Direction.UNKNOWN, None)
    assert found.missing
    assert found.disk is None or (found.disk.full_on is None and found.disk.recommended_gib is None)


series_of_days = st.lists(st.floats(0, 100), min_size=1, max_size=60).map(
    lambda values: tuple(Point(NOW - timedelta(hours=7 * i), value) for i, value in enumerate(values))
)


@given(series_of_days, st.sampled_from([0.5, 0.9, 0.95, 0.995]))
def test_a_percentile_is_a_value_with_its_share_below(series: Series, share: float) -> None:
    """No more than the rest of the samples lies above it, and it is one of them."""
    found = percentile(equal(series), share)
    above = sum(point.value > found for point in series)
    assert above <= (1 - share) * len(series)
    assert found in [point.value for point in series]


@given(series_of_days, st.integers(0, 59), st.floats(0, 100))
def test_without_a_day_is_below_and_rises_with_the_samples(series: Series, index: int, plus: float) -> None:
    """Leaving the worst day out never raises a percentile, and a higher sample never lowers it."""
    before = recurring_percentile(equal(series), 0.9)
    assert before <= percentile(equal(series), 0.9)
    i = index % len(series)
    raised = (*series[:i], series[i]._replace(value=series[i].value + plus), *series[i + 1 :])
    assert recurring_percentile(equal(raised), 0.9) >= before
