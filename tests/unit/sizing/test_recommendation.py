"""Recommendations for loads whose cause is known: what is said, in which direction, and what is no reason."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.sizing.catalogue import Spec, find, read
from orchestrator.sizing.choice import fits
from orchestrator.sizing.load import Load
from orchestrator.sizing.margins import Moment
from orchestrator.sizing.rules import Direction, Present, Recommendation, recommend
from tests.unit.sizing.histories import MIB, NOW, ZONE, Erp, changed, recent, with_gap, without

CATALOGUE = read()
LARGE = Erp(cpus=2, memory_mib=4096)


def judged(load: Load, spec: str = "lab.medium") -> Recommendation:
    current = find(spec)
    return recommend(load, Present(current.provider, current, 12), CATALOGUE, Moment(NOW, ZONE))


def named(found: Recommendation) -> tuple[Direction, str]:
    assert found.recommended
    return found.direction, found.recommended.name


def reason(found: Recommendation, words: str) -> str:
    (said,) = [each for each in found.reasons if words in each]
    return said


def test_a_load_with_room_keeps_its_size() -> None:
    """Nothing changes, nothing costs; every number stands in a sentence, and nothing is missing."""
    found = judged(Erp().load())
    assert named(found) == (Direction.KEEP, "lab.medium")
    assert (found.usd_per_month, found.confidence, found.missing) == (None, "high", ())
    assert "0.41 CPUs" in reason(found, "95 % of the hours need at most 0.41 CPUs (half-life 14 days)")
    assert not any("hosting" in each for each in found.reasons)


def test_month_ends_are_a_reason() -> None:
    """Six busy days around each month's end grow the server, though the month's usual days would not."""
    found = judged(Erp(busy=0.5, month_end=0.9).load())
    assert named(found) == (Direction.UP, "lab.large")
    assert "headroom 1.15 CPUs" in reason(found, "at the turn to 2026-")
    assert named(judged(Erp(busy=0.5).load())) == (Direction.KEEP, "lab.medium")


def test_a_year_end_is_not_forgotten() -> None:
    """Last January's peak still counts in November; a peak of last June does not."""
    year = Erp(days=400, busy=0.5).load()
    january = NOW.replace(month=1, day=1, hour=0)
    june = NOW.replace(month=6, day=1, hour=0)
    around = timedelta(days=2)
    assert judged(changed(year, "cpu", 0.95, january - around, january + around)).direction is Direction.UP
    assert judged(changed(year, "cpu", 0.95, june - around, june + around)).direction is Direction.KEEP


def test_slow_growth_is_a_reason_once_headroom_is_used() -> None:
    """The decayed 95 % follow a growth of weeks; the size grows before the CPUs are full."""
    found = judged(Erp(busy=0.8, growth=0.006).load())
    assert named(found) == (Direction.UP, "lab.large")
    assert found.need and 1.0 < found.need.cpus < 1.2
    assert "hosting charges are not covered by the contract (clause E5)" in found.reasons


@pytest.mark.parametrize("hours", [1, 3, 6])
def test_a_burst_of_one_day_is_no_reason(hours: int) -> None:
    """Some saturated hours of yesterday change nothing, also where only nine days are known."""
    for days in (9, 60):
        found = judged(Erp(days=days, burst=hours).load())
        assert named(found) == (Direction.KEEP, "lab.medium"), found.reasons


def test_a_burst_is_said_where_it_would_show() -> None:
    """A burst that would raise the 99.5 % is told, with the words that it does not count."""
    assert "no reason to grow" in reason(judged(Erp(days=9, burst=3).load()), "a burst of")


def test_the_same_burst_every_day_is_a_reason() -> None:
    """Three saturated hours on each of two days are a pattern."""
    load = Erp(days=9).load()
    for day in (1, 2):
        end = NOW - timedelta(days=day, hours=17)
        for name, value in (("cpu", 1.0), ("cpu_waiting", 0.8)):
            load = changed(load, name, value, end - timedelta(hours=3), end)
    assert judged(load).direction is Direction.UP


def test_a_nightly_batch_is_no_reason() -> None:
    """Twenty minutes of all CPUs at 02:00 are named with their hour on the customer's clock, and ignored."""
    found = judged(Erp(batch=True).load())
    assert named(found) == (Direction.KEEP, "lab.medium")
    told = reason(found, "a batch uses 1 CPU")
    assert "from 06:00 for about 20 minutes" in told  # Dubai is four hours ahead
    assert named(judged(Erp(batch=True, days=60, cpus=2, memory_mib=4096).load(), "lab.large"))[0] is (
        Direction.DOWN
    )


def test_a_leak_is_named_and_asks_for_one_step_at_most() -> None:
    """Memory that grows until a restart is a leak; even when it reaches the top, one step is the answer."""
    found = judged(Erp(memory_mib=2048, working_set=600, leak=16).load())
    assert found.leak
    assert "this is a leak, to be mended in the application" in reason(found, "memory grows by")
    assert named(found) == (Direction.UP, "lab.large")
    small = judged(Erp(cpus=0.5, busy=0.2, memory_mib=8192, working_set=600, leak=40).load(), "lab.small")
    assert named(small) == (Direction.UP, "lab.medium")  # six gigabytes of leak: still one step


@pytest.mark.parametrize("erp", [Erp(), Erp(busy=0.8, growth=0.006), Erp(working_set=1500)])
def test_work_that_comes_and_goes_is_no_leak(erp: Erp) -> None:
    """Days that rise and fall, and a growth that no restart takes back, are not called a leak."""
    load = erp.load()
    assert not judged(load).leak
    rising = tuple(
        point._replace(value=point.value * (1 + i / 2000)) for i, point in enumerate(load.hourly.memory)
    )
    assert not judged(replace(load, hourly=replace(load.hourly, memory=rising))).leak


def test_a_kill_for_lack_of_memory_grows_the_server() -> None:
    """A process killed last week needs more than the server has, whatever the working set says."""
    load = changed(Erp().load(), "oom_kills", 1.0, NOW - timedelta(days=5, hours=1), NOW - timedelta(days=5))
    found = judged(load)
    assert named(found) == (Direction.UP, "lab.large")
    assert "killed for lack of memory 1 time in 28 days" in reason(found, "killed")


def test_waiting_for_memory_on_two_days_grows_the_server() -> None:
    """Pressure on one day is an event, on two days a size."""
    load = Erp().load()
    for days, expected in ((3, Direction.KEEP), (4, Direction.UP)):
        end = NOW - timedelta(days=days)
        load = changed(load, "memory_waiting", 0.3, end - timedelta(hours=1), end)
        assert judged(load).direction is expected


def test_memory_of_one_day_must_fit_but_needs_no_headroom() -> None:
    """A single day's peak of 95 % keeps the size, the second one grows it."""
    load = Erp().load()
    for days, expected in ((3, Direction.KEEP), (4, Direction.UP)):
        end = NOW - timedelta(days=days)
        load = changed(load, "memory", 1945 * MIB, end - timedelta(hours=1), end)
        assert judged(load).direction is expected


def test_too_short_a_history_says_so() -> None:
    """Six days give no size and no date, but the words of what is missing."""
    found = judged(Erp(days=6).load())
    assert (found.direction, found.recommended, found.confidence) == (Direction.UNKNOWN, None, "none")
    assert found.missing[0] == "6 days of CPU use and memory are known: 7 are needed"
    assert found.disk and found.disk.full_on is None
    assert judged(Erp(days=8).load()).direction is Direction.KEEP


@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_no_cpu_or_memory_is_unknown(name: str) -> None:
    """Without one of both nothing is guessed; the series' name is said."""
    found = judged(without(Erp().load(), name))
    assert found.direction is Direction.UNKNOWN
    assert "mems_server_" in found.missing[0]


def test_what_else_is_missing_weakens() -> None:
    """Absent pressure, response times and disk are named; the recommendation is made with less confidence."""
    found = judged(without(Erp().load(), "cpu_waiting", "response", "disk_used"))
    assert (found.direction, found.confidence) == (Direction.KEEP, "medium")
    assert [each.split(" (")[0].split(":")[0] for each in found.missing] == [
        "no series of time waiting for a CPU",
        "no series of response times",
        "no series of the disk's use",
    ]


def test_gaps_are_said_and_lower_the_confidence() -> None:
    """A gap is told with its start and length; ten days without values leave little confidence."""
    load = with_gap(Erp().load(), NOW - timedelta(days=12), NOW - timedelta(days=2))
    found = judged(load)
    assert found.confidence == "low"
    assert "no values for 241 hours from 2026-11-12 14:00 on" in found.missing


def test_stale_values_are_unknown() -> None:
    """A server that nobody measures any more gets no recommendation from its past."""
    found = judged(with_gap(Erp().load(), NOW - timedelta(hours=8), NOW))
    assert found.direction is Direction.UNKNOWN
    assert "the newest values are of 2026-11-24 06:00" in found.missing[0]


def test_down_needs_28_days_and_goes_one_step() -> None:
    """An idle large server becomes a medium one, never a small one; with 20 days it stays."""
    assert named(judged(replace(LARGE, busy=0.1, working_set=300).load(), "lab.large")) == (
        Direction.DOWN,
        "lab.medium",
    )
    found = judged(replace(LARGE, busy=0.1, days=20).load(), "lab.large")
    assert named(found) == (Direction.KEEP, "lab.large")
    assert "only 20 days are known, 28 are needed to go down" in reason(found, "would fit too")


def test_never_down_within_28_days_of_an_up() -> None:
    """The server's own numbers show when it grew."""
    load = replace(LARGE, busy=0.1).load()
    grown = changed(load, "cpus", 1.0, NOW - timedelta(days=90), NOW - timedelta(days=10))
    found = judged(grown, "lab.large")
    assert named(found) == (Direction.KEEP, "lab.large")
    assert "it grew on 2026-11-14, less than 28 days ago" in reason(found, "would fit too")
    earlier = changed(load, "cpus", 1.0, NOW - timedelta(days=90), NOW - timedelta(days=29))
    assert judged(earlier, "lab.large").direction is Direction.DOWN


def test_slow_responses_hold_a_smaller_size_back() -> None:
    """Users who wait already get no smaller server, whatever its CPUs do."""
    load = changed(replace(LARGE, busy=0.1).load(), "response", 0.9, NOW - timedelta(days=4), NOW)
    assert "requests take more than 300 ms" in reason(judged(load, "lab.large"), "would fit too")


def test_a_baseline_is_a_size_too() -> None:
    """A burstable type carries peaks, but not a day above its baseline; the cheapest that does is named."""
    load = replace(LARGE, busy=0.9).load()
    found = judged(load, "t3.medium")
    assert named(found) == (Direction.UP, "t3.large")
    assert "0.44 CPUs are needed all day, t3.medium gives 0.4 CPUs" in reason(found, "all day")
    assert found.usd_per_month == 35.04
    assert "35.04 USD a month more (prices of 2025-01-01, check before use)" in reason(found, "cost:")
    assert named(judged(replace(LARGE, busy=1.31).load(), "t3.medium")) == (Direction.UP, "m6i.large")


def test_without_a_specification_there_is_nothing_to_compare() -> None:
    """A server that has no server_spec gets its need and the cheapest fit in words, and no direction."""
    found = recommend(Erp().load(), Present("aws", None), CATALOGUE, Moment(NOW, ZONE))
    assert found.direction is Direction.UNKNOWN
    assert "no server_spec" in found.missing[0]
    assert "t3.small would be the cheapest that fits" in reason(found, "cheapest")


def test_more_than_there_is_names_the_largest() -> None:
    """Where nothing carries the load, the largest is named, and it is said that it does not suffice."""
    found = judged(Erp(cpus=4, memory_mib=8192, busy=6).load(), "lab.large")
    assert named(found) == (Direction.UP, "lab.xlarge")
    assert "no specification of lab carries this need" in reason(found, "the largest")
    kept = judged(Erp(cpus=4, memory_mib=8192, busy=6).load(), "lab.xlarge")
    assert named(kept) == (Direction.KEEP, "lab.xlarge")


def test_another_size_than_the_inventory_says_is_told() -> None:
    """The server shows 2 CPUs, its specification has one: somebody changed it by hand."""
    found = judged(LARGE.load())
    assert "the server shows 2 CPUs, lab.medium has 1 CPU" in found.missing
    assert "the server shows 4,096 MiB of memory, lab.medium has 2,048 MiB" in found.missing


def test_a_saturated_history_without_pressure_says_what_it_cannot_see() -> None:
    """Full CPUs show in the use alone; how much more was wanted only pressure tells."""
    load = Erp(busy=1.6).load()
    assert named(judged(load)) == (Direction.UP, "lab.xlarge")  # 1.6 wanted, 2.3 with headroom
    assert named(judged(without(load, "cpu_waiting"))) == (Direction.UP, "lab.large")


def test_saturated_now_but_too_little_history() -> None:
    """The saturation is said, a size is not guessed."""
    load = replace(Erp(days=3).load(), recent=recent(NOW, 1.0, 0.5, 1.0, timedelta(minutes=8)))
    found = judged(load)
    assert (found.direction, found.saturated_now) == (Direction.UNKNOWN, True)
    assert "saturated since" in found.reasons[0]


def test_work_of_some_nights_is_not_called_a_batch() -> None:
    """What fills an hour on nine of 28 nights is not named: it may be anything."""
    load = Erp().load()
    for day in range(1, 10):
        end = NOW.replace(hour=3) - timedelta(days=day)
        load = changed(load, "cpu_peak", 1.0, end - timedelta(hours=1), end)
    assert not any("batch" in each for each in judged(load).reasons)


def test_memory_of_the_year_end_counts() -> None:
    """Two days around New Year that needed nearly all memory are no surprise in the next year."""
    january = NOW.replace(month=1, day=1, hour=0)
    spring = NOW.replace(month=3, day=20, hour=0)
    for middle, direction in ((january, Direction.UP), (spring, Direction.KEEP)):
        around = timedelta(days=1, hours=12)
        load = changed(Erp(days=400).load(), "memory", 1900 * MIB, middle - around, middle + around)
        assert judged(load).direction is direction


def test_a_smaller_size_needs_room_to_spare() -> None:
    """What would just fit is not taken: the server would grow again at once."""
    for busy, direction in ((0.64, Direction.KEEP), (0.5, Direction.DOWN)):
        found = judged(replace(LARGE, busy=busy).load(), "lab.large")
        assert found.direction is direction
        assert found.need and found.need.cpus < 1.0


def test_more_cpus_take_no_memory_away() -> None:
    """A server that grows for its CPUs keeps its memory, though less would fit and be cheaper."""
    less = Spec(
        name="c.xlarge",
        provider="aws",
        cpus=4,
        memory_mib=8192,
        baseline=1.0,
        usd_per_month=145,
        priced_at=NOW.date(),
    )
    load = Erp(cpus=4, memory_mib=16384, busy=1.6, quiet=1.6).load()
    current = find("t3.xlarge")
    found = recommend(load, Present("aws", current), {**CATALOGUE, less.name: less}, Moment(NOW, ZONE))
    assert found.need and fits(less, found.need) and less.usd_per_month < find("m6i.xlarge").usd_per_month
    assert named(found) == (Direction.UP, "m6i.xlarge")


def test_a_larger_disk_is_hosting_too() -> None:
    """Also where the size stays, it is said who pays."""
    found = judged(Erp(disk=4, disk_growth=0.1).load())
    assert named(found) == (Direction.KEEP, "lab.medium")
    assert "hosting charges are not covered by the contract (clause E5)" in found.reasons
