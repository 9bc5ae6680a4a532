"""The day on which a disk is full: from a robust line through the days' highest values, or not at all."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest

from orchestrator.sizing.disk import Disk, disk_need
from orchestrator.sizing.load import HOUR, Hourly, Point
from orchestrator.sizing.margins import Moment
from orchestrator.sizing.trend import theil_sen
from tests.unit.sizing.histories import GIB, NOW, ZONE, Erp, changed


def judged(erp: Erp, declared: int | None = 12) -> Disk:
    found = disk_need(erp.load().hourly, declared, Moment(NOW, ZONE))
    assert found
    return found


def test_a_line_that_is_known() -> None:
    """7.2 GiB and 0.02 a day reach 12 GiB after 240 days; the interval holds the day."""
    found = judged(Erp(days=60))
    assert found.full_on and found.earliest and found.latest
    assert abs((found.full_on - date(2027, 7, 22)).days) <= 3
    assert found.earliest <= found.full_on <= found.latest
    assert found.gib_per_day == pytest.approx(0.02, rel=0.02)
    assert found.recommended_gib is None  # more than 90 days away


def test_a_disk_that_is_soon_full_gets_a_size() -> None:
    """What is recommended is 80 % full after another 180 days."""
    found = judged(Erp(disk=4, disk_growth=0.1))
    assert found.full_on == date(2026, 12, 14)
    assert found.recommended_gib == 36  # (10 + 180 x 0.1) / 0.8, by the interval's steeper end
    assert "36 GiB would be 80 % full in 180 days" in found.reason


def test_an_uncertain_growth_gets_more_room() -> None:
    """The same growth with noise on it: the recommendation follows the interval's steeper end."""
    random = Random(3)
    hourly = Erp(disk=4, disk_growth=0.1).load().hourly
    days = {point.at.date(): random.gauss(0, 1.5) * GIB for point in hourly.disk_used}
    noisy = tuple(point._replace(value=point.value + days[point.at.date()]) for point in hourly.disk_used)
    found = disk_need(replace(hourly, disk_used=noisy), 12, Moment(NOW, ZONE))
    assert found and found.recommended_gib and found.gib_per_day
    assert found.recommended_gib > (max(found.used_gib, 10.5) + 180 * found.gib_per_day) / 0.8 + 1


def test_one_day_that_stands_out_moves_nothing() -> None:
    """A dump of 4 GiB for some hours, the day's highest value, is no trend; least squares would follow."""
    load = Erp().load()
    dump = changed(load, "disk_used", 11.5 * GIB, NOW - timedelta(days=3), NOW - timedelta(days=2))
    plain, found = (disk_need(each.hourly, 12, Moment(NOW, ZONE)) for each in (load, dump))
    assert plain and found and plain.full_on and found.full_on
    assert abs((plain.full_on - found.full_on).days) <= 3


def test_noise_is_no_growth() -> None:
    """No date from a disk that breathes; nor from one that shrinks."""
    for growth in (0.0, -0.02):
        found = judged(Erp(disk_growth=growth))
        assert (found.full_on, found.recommended_gib) == (None, None)
        assert "no growth can be told from noise" in found.reason


def test_a_full_disk_without_growth_is_told() -> None:
    """Above 90 % a larger one is recommended all the same."""
    found = judged(Erp(disk=11.2, disk_growth=0.0))
    assert found.recommended_gib == 14
    assert "14 GiB would be 80 % full" in found.reason


@pytest.mark.parametrize(("days", "dated"), [(2, False), (6, False), (8, True)])
def test_seven_days_give_a_date(days: int, dated: bool) -> None:
    """Less is never enough, and what is there is told."""
    found = judged(Erp(days=days, disk_growth=0.2))
    assert (found.full_on is not None) is dated
    assert "GiB are used" in found.reason


def test_a_far_future_is_no_date() -> None:
    """Later than ten years nobody can say."""
    found = judged(Erp(disk_size=500, disk_growth=0.1), declared=500)
    assert (found.full_on, found.recommended_gib) == (None, None)
    assert "more than ten years" in found.reason


def test_the_inventorys_size_grows_not_the_file_systems() -> None:
    """A 12 GiB disk shows 11.6: its file system's own part is added, and the result is never smaller."""
    erp = Erp(disk=4, disk_growth=0.1, disk_size=11.6)
    own, declared = judged(erp, declared=None), judged(erp)
    assert own.recommended_gib and declared.recommended_gib
    assert declared.recommended_gib > own.recommended_gib - 1 >= 12


def test_no_disk_no_words() -> None:
    """Without the series there is nothing to say."""
    assert disk_need(Hourly(), 12, Moment(NOW, ZONE)) is None
    assert disk_need(Hourly(disk_used=(Point(NOW - HOUR, 1.0),)), 12, Moment(NOW, ZONE)) is None


def test_theil_sen_by_hand() -> None:
    """The median of all slopes; a quarter of wild points does not move it."""
    assert theil_sen([(0, 1), (1, 3), (2, 5), (3, 7)])[::3] == (2, 1)
    points = [(float(x), 2.0 * x + 1) for x in range(20)]
    wild = [(x, 500.0) if x % 5 == 4 else (x, y) for x, y in points]
    assert theil_sen(wild).slope == pytest.approx(2.0)


def test_the_interval_holds_the_slope_as_often_as_it_says() -> None:
    """Of 200 seeded noisy lines of 30 days, about 95 % of the intervals hold the true slope."""
    random = Random(5)
    held = 0
    for _ in range(200):
        found = theil_sen([(float(x), 2.0 * x + random.gauss(0, 5)) for x in range(30)])
        assert found.low < found.slope < found.high
        held += found.low <= 2.0 <= found.high
    assert 182 <= held <= 198
