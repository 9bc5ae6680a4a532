"""Load against capacity as a chart: what is drawn, in the terminal and as SVG."""

from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator.errors import AmcError
from orchestrator.sizing.chart import charts, terminal, write_svg
from orchestrator.sizing.load import Hourly, Load
from tests.unit.sizing.histories import NOW, Erp, with_gap, without

LOAD = Erp(days=30, month_end=0.9).load()


def test_a_day_is_a_point_and_capacity_a_line() -> None:
    """The days asked for, the newest last; the busiest hour, the mean, and what there is."""
    cpus, memory, disk = charts(LOAD, 14)
    assert (len(cpus.days), cpus.days[-1]) == (14, NOW.date())
    assert set(cpus.lines["capacity"]) == {1.0}
    busiest, mean = cpus.lines["busiest hour"], cpus.lines["mean"]
    assert all(
        high is not None and low is not None and high > low for high, low in zip(busiest, mean, strict=True)
    )
    assert set(memory.lines["capacity"]) == {2048.0}
    assert set(disk.lines["capacity"]) == {12.0}


def test_what_was_not_measured_is_not_drawn() -> None:
    """An absent series has no chart, a day without values no point."""
    assert [each.title for each in charts(without(LOAD, "disk_used", "disk_size"), 30)] == [
        "acme-erp1: CPUs",
        "acme-erp1: memory in MiB",
    ]
    assert charts(Load("acme-erp1", "acme", Hourly()), 30) == []
    gap = with_gap(without(LOAD, "cpus"), NOW - timedelta(days=9), NOW - timedelta(days=5))
    (cpus, *_) = charts(gap, 30)
    assert len(cpus.days) == 28  # of 31 dates three lie within the gap
    assert set(cpus.lines["capacity"]) == {None}
    assert "acme-erp1: CPUs" in terminal(cpus)


def test_the_terminal_shows_marks_days_and_a_scale_from_zero() -> None:
    """Plain characters: no colours, no line longer than 100."""
    drawn = terminal(charts(LOAD, 30)[0])
    assert drawn.startswith("acme-erp1: CPUs (* busiest hour, . mean, - capacity)\n")
    assert "\x1b" not in drawn
    assert "0.00" in drawn
    assert "11-24" in drawn
    assert drawn.count("*") > 10
    assert max(map(len, drawn.splitlines())) <= 100


def test_svg_files_are_whole_and_fetch_nothing(tmp_path: Path) -> None:
    """One for each chart, numbered; a browser asks nobody else for them."""
    files = write_svg(charts(LOAD, 30), tmp_path / "load.svg")
    assert [file.name for file in files] == ["load.svg", "load-2.svg", "load-3.svg"]
    for file in files:
        root = ElementTree.parse(file).getroot()
        fetched = [
            each.get(name)
            for each in root.iter()
            for name in ("href", "src", "{http://www.w3.org/1999/xlink}href")
        ]
        assert not any(fetched)
        assert "@import" not in file.read_text(encoding="utf-8")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """In words, with the file's name."""
    with pytest.raises(AmcError, match="can't be written: No such file"):
        write_svg(charts(LOAD, 30), tmp_path / "nowhere" / "load.svg")
