"""What a contract says of time: each rule with line and mend, the defaults, the schema, and the page."""

import re
from datetime import date
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic_core import PydanticCustomError

from orchestrator.contracts import rule as rules
from orchestrator.contracts.activities import DEFAULTS
from orchestrator.contracts.model import Contract
from orchestrator.contracts.nodes import data_of
from orchestrator.contracts.read import contract_schema, read
from orchestrator.contracts.recurrence import ANY_TIME, recurrence_of
from orchestrator.errors import InvalidInput
from tests.unit.contracts.broken_schedules import RULE, RULES, VALID

PAGE = Path(__file__).parents[3] / "docs" / "contract.md"


@pytest.mark.parametrize("broken", RULES.values(), ids=RULES)
def test_every_rule_names_line_and_mend(tmp_path: Path, broken: tuple[str, str, int, str, str]) -> None:
    """The rule in the test's id: breaking it alone is reported at the line that is wrong, with a mend."""
    old, new, line, message, mend = broken
    assert VALID.count(old) == 1
    (tmp_path / "contract.yml").write_text(VALID.replace(old, new))
    with pytest.raises(InvalidInput) as caught:
        read(tmp_path / "contract.yml")
    found = [problem for problem in caught.value.problems if message in problem.message]
    assert [problem.line for problem in found] == [line]
    assert mend in found[0].mend


def test_a_contract_says_when(tmp_path: Path) -> None:
    """Every key arrives; written out, `from` is still called so."""
    (tmp_path / "contract.yml").write_text(VALID)
    contract = read(tmp_path / "contract.yml")
    recurrence = contract.recurrence("patch")
    assert recurrence
    assert (recurrence.rule, recurrence.at, recurrence.start) == (RULE, "22:30", date(2026, 1, 5))
    assert list(islice(recurrence.days(), 11, 13)) == [date(2027, 1, 9), date(2027, 2, 13)]
    written = contract.model_dump(mode="json")
    assert written["freezes"] == [{"from": "2026-12-18", "until": "2027-01-06", "why": "stocktaking"}]
    assert written["activities"]["patch"]["recurrence"]["from"] == "2026-01-05"
    assert contract.terms("patch").minutes == 30
    assert contract.emergency.allowed


def test_single_keys_keep_the_other_defaults(tmp_path: Path) -> None:
    """An hour is moved, or what comes by default is ended; without a word every default holds."""
    text = VALID[: VALID.index("  activities:")]
    (tmp_path / "contract.yml").write_text(
        text + '  activities: {backup: {recurrence: {at: "03:00"}}, drill: {recurrence: {rule: never}}}\n'
    )
    contract = read(tmp_path / "contract.yml")
    backup, patch = contract.recurrence("backup"), contract.recurrence("patch")
    assert backup and (backup.rule, backup.at, backup.lasts_minutes) == ("FREQ=DAILY", "03:00", 60)
    assert patch and (patch.rule, patch.start) == ("FREQ=MONTHLY;BYMONTHDAY=8", date(2026, 1, 1))
    assert contract.recurrence("drill") is None
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
    assert (contract.freezes, contract.holidays.country, contract.emergency.allowed) == ((), None, False)


@pytest.mark.parametrize(
    "name",
    [
        "a recurrence's keys are known",
        "a rule is a text",
        "a rule has parts",
        "the hour is one",
        "a run takes a while",
        "a country is a code",
        "a freeze has an end",
        "a freeze says why",
        "an emergency rule is yes or no",
    ],
)
def test_the_schema_refuses_what_it_can(name: str) -> None:
    """The JSON Schema accepts the valid contract, and refuses what needs no calendar to be seen."""
    schema = Draft202012Validator(contract_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert list(schema.iter_errors(data_of(VALID.encode()).data)) == []
    assert list(schema.iter_errors(data_of(VALID.replace(*RULES[name][:2]).encode()).data)) != []


@given(st.text(alphabet="FREQ=DAILYWKMONTHBYSUP;,0123456789-+", max_size=40).map("FREQ=YEARLY;".__add__))
def test_a_rule_is_refused_in_words_or_names_days(text: str) -> None:
    """Whatever is written: a fault of the contract, never an error of the library behind it."""
    try:
        rules.checked(text)
    except PydanticCustomError as error:
        assert error.context and error.context["faults"][0].mend
        return
    next(rules.days(text, date(2026, 1, 1)), None)


def test_the_page_shows_the_recurrences_of_the_code() -> None:
    """docs/contract.md: rule, hour, length and place of each activity."""
    found = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if re.match(r"\| `[a-z]+` \| (never|FREQ)", line)
    ]
    expected = []
    for name in DEFAULTS:
        each = recurrence_of(name, None, date(2026, 1, 1))
        said = [each.rule, each.at, str(each.lasts_minutes or "")] if each else ["never", "", ""]
        expected.append([f"`{name}`", *said, "any time" if name in ANY_TIME else "windows"])
    assert found == expected
