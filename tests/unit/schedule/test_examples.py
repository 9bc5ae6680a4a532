"""The worked examples of docs/schedule.md: each row is computed anew, so the page can't go stale."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.contracts.model import Contract
from orchestrator.schedule.clock import moment
from orchestrator.schedule.occurrences import Occurrence, catch_up, fates
from tests.unit.schedule.agreements import agreement

PAGE = Path(__file__).parents[3] / "docs" / "schedule.md"
NOTHING = "—"


class Row(NamedTuple):
    """A row of the table, cell by cell."""

    number: str
    what: str
    zone: str
    rule: str
    windows: str
    but: str
    asked: str
    runs: str
    why: str


def rows() -> Iterator[Row]:
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if len(cells) == len(Row._fields) and cells[0].isdigit():
            yield Row(*cells)


ROWS = list(rows())


def contract(row: Row) -> Contract:
    activity, rule, at, lasts = row.rule.split(" ")
    more: dict[str, Any] = {}
    for words in row.but.split("; ") if row.but != NOTHING else ():
        what, value = words.split(" ", 1)
        first, _, last = value.partition("..")
        if what == "term":
            more["term"] = {"start": first, "end": last or None}
        elif what == "freeze":
            more["freezes"] = [{"from": first, "until": last, "why": "x"}]
        elif what == "country":
            country, _, subdivision = value.partition("-")
            more["holidays"] = {"country": country, "subdivision": subdivision or None}
        elif what == "holiday":
            more["holidays"] = {"dates": [value]}
        elif what == "except":
            more["exceptions"] = [value]
        elif what == "from":
            more["from"] = value
        else:
            assert what == "done", words
    open_ = "daily 00:00-24:00" if row.windows == NOTHING else row.windows
    return agreement(activity, rule, at, int(lasts), zone=row.zone, open_=open_, **more)


def at(contract: Contract, text: str) -> datetime:
    return moment(datetime.fromisoformat(text), contract.zone).at


def computed(row: Row) -> list[Occurrence]:
    """`A..B`: whole days of the contract's clock; `at T` with `done until S`: what makes up for [S, T)."""
    agreed = contract(row)
    activity = row.rule.split(" ")[0]
    if row.asked.startswith("at "):
        since = row.but.split("done until ")[1]
        made_up = catch_up(agreed, activity, at(agreed, since), at(agreed, row.asked.removeprefix("at ")))
        return [made_up] if made_up else []
    first, _, last = row.asked.partition("..")
    after = (datetime.fromisoformat(last or first) + timedelta(days=1)).isoformat()
    return fates(agreed, activity, at(agreed, first), at(agreed, after))


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.number} {row.what}" for row in ROWS])
def test_a_worked_example(row: Row) -> None:
    """Runs on the contract's clock with its offset, and every reason that the page gives, in order."""
    found = computed(row)
    zone = contract(row).zone
    runs = [each.planned.astimezone(zone).isoformat(" ", "minutes") for each in found if each.planned]
    why = list(dict.fromkeys(reason.why.value for each in found for reason in each.reasons))
    assert (", ".join(runs) or NOTHING, ", ".join(why) or NOTHING) == (row.runs, row.why)


def test_there_are_forty_examples() -> None:
    """The page promises them, numbered from 1, no two alike."""
    assert [int(row.number) for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert len({row[2:7] for row in ROWS}) == len(ROWS) >= 40


def test_a_wrong_row_is_found() -> None:
    """The test above can fail: a run an hour later than computed, a reason that is none."""
    row = ROWS[0]
    with pytest.raises(AssertionError):
        test_a_worked_example(row._replace(runs=row.runs.replace(":30", ":45")))
    with pytest.raises(AssertionError):
        test_a_worked_example(row._replace(why="freeze"))
