"""docs/sizing.md says what the rules do: its example, its numbers by hand, and the margins it names."""

import re
from pathlib import Path

import pytest

from orchestrator.cli.size import _lines
from orchestrator.sizing.catalogue import find, read
from orchestrator.sizing.margins import Margins, Moment
from orchestrator.sizing.processor import cpu_need, demand
from orchestrator.sizing.rules import Present, recommend
from tests.unit.sizing.histories import NOW, ZONE, Erp

PAGE = (Path(__file__).parents[3] / "docs" / "sizing.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.split())
EXAMPLE = Erp(
    days=60,
    cpus=2,
    memory_mib=4096,
    busy=1.0,
    month_end=1.5,
    batch=True,
    working_set=2900,
    disk=26,
    disk_growth=0.2,
    disk_size=40,
)


def test_the_worked_example_of_the_page() -> None:
    """Each line that the command prints for this history stands in the page, word for word, and no other."""
    current = find("t3.medium")
    found = recommend(EXAMPLE.load(), Present("aws", current, 40), read(), Moment(NOW, ZONE))
    (block,) = re.findall(r"```\n(acme-erp1: .*?)\n```", PAGE, re.DOTALL)
    assert block.splitlines() == list(_lines(found))


def test_the_examples_numbers_by_hand() -> None:
    """What the page computes on paper is what the rules find."""
    need = cpu_need(demand(EXAMPLE.load().hourly, find("t3.medium"), Margins()), Moment(NOW, ZONE))
    assert need.month_end
    for value, digits in ((need.typical, 2), (need.month_end.cpus, 2), (need.daily, 3)):
        assert f"{value:.{digits}f}" in PAGE.partition("By hand:")[2]
    by_hand = (10 * 1.43 + 14 * 0.05 + (2 - 0.05) / 3) / 24
    assert need.daily == pytest.approx(by_hand, rel=0.01)


def test_the_pages_numbers_are_the_margins() -> None:
    """A margin that changes has to change in the page too."""
    margins = Margins()
    said = [
        f"demand, weights halve every {margins.typical_half_life.days} days | {margins.typical_use:.2f} |",
        f"demand, weights halve every {margins.rare_half_life.days} days | {margins.rare_use:.2f} |",
        f"| demand | {margins.month_end_use:.2f} |",
        f"mean demand of those minutes | {margins.now_use:.2f} |",
        f"at least {margins.saturated_use:.0%} used".replace("%", " %"),
        f"at least {margins.saturated_waiting:.0%} of the time".replace("%", " %"),
        f"28 days and the turns above) ÷ {margins.sustained_use:.2f}",
        f"second highest day ÷ {margins.memory_use:.2f}",
        f"less than {margins.least.days} days",
        f"{margins.acute_for.seconds // 60} minutes (`--sustained-seconds`)",
        f"response times above {margins.response_s * 1000:.0f} ms",
        f"{margins.down_room - 1:.0%} more than the need, {margins.down_after.days} days are known".replace(
            "%", " %"
        ),
        f"values of {margins.disk_window.days} days",
        f"{margins.disk_use:.0%} full in {margins.disk_last.days} days".replace("%", " %"),
        f"values older than {margins.stale_after.seconds // 3600} hours",
    ]
    assert [each for each in said if each not in PROSE] == []
