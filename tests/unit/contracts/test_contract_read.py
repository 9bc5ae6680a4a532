"""The reader: every rule of a contract, and the line, the message and the mend of each fault."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.contracts.model import Mode
from orchestrator.contracts.nodes import data_of
from orchestrator.contracts.read import read, read_all, read_customer
from orchestrator.errors import InvalidInput, Problem
from tests.unit.contracts.broken_rules import RULES, VALID

INVENTORIES = Path(__file__).parents[3] / "inventories"
Problems = Callable[[str], list[Problem]]


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    def of(text: str) -> list[Problem]:
        file = tmp_path / "contract.yml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidInput) as caught:
            read(file)
        assert all(problem.file == file for problem in caught.value.problems)
        return caught.value.problems

    return of


def test_the_demo_contracts_are_valid() -> None:
    """Both demo customers' contracts can be read, and say what the product promises of them."""
    acme, globex = (read_customer(INVENTORIES, customer) for customer in ("acme", "globex"))
    assert (acme.mode, acme.hours.per_calendar_year, acme.hours.increment_minutes) == (Mode.RETAINER, 60, 15)
    assert acme.terms("patch").minutes == 45
    assert acme.backup.proven_within_days == 8
    assert [(each.rule, bool(each.why)) for each in globex.hardening.exceptions] == [("cron", True)]
    assert (globex.mode, globex.hours.per_calendar_year) == (Mode.COMPREHENSIVE, None)
    assert "UTC" not in (acme.time_zone, globex.time_zone)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_names_line_and_mend(problems: Problems, rule: tuple[str, str, int, str, str]) -> None:
    """The rule in the test's id: breaking it alone is reported at the line that is wrong, with a mend."""
    old, new, line, message, mend = rule
    assert VALID.count(old) == 1
    found = [problem for problem in problems(VALID.replace(old, new)) if message in problem.message]
    assert [problem.line for problem in found] == [line]
    assert mend in found[0].mend


def test_the_valid_contract_of_these_tests_is_valid(tmp_path: Path) -> None:
    """The text that the rules above break is valid, so each of them is broken by its change alone."""
    (tmp_path / "contract.yml").write_text(VALID)
    assert read(tmp_path / "contract.yml").terms("patch").minutes == 45


def test_all_problems_at_once(problems: Problems) -> None:
    """Ten faults of different kinds are all told, in the order of their lines, each of them once."""
    text = VALID
    for name in (
        "a key is unknown",
        "the number is a text",
        "the mode is known",
        "the time zone exists",
        "the end is not before the start",
        "the increment divides the hour",
        "a day is a day",
        "a time is quoted",
        "an end is at most midnight",
        "an activity is unknown",
    ):
        text = text.replace(*RULES[name][:2])
    lines = [problem.line for problem in problems(text)]
    assert lines == [1, 3, 4, 6, 7, 10, 13, 16, 17, 18, 20]  # line 1: the misspelt key is missing too


def test_two_faulty_activities_are_both_told(problems: Problems) -> None:
    """A rule across an activity's keys is told for each activity that breaks it."""
    text = VALID.replace("    patch:\n", "    drill: {charge: clock}\n    backup:\n")
    assert [(problem.line, problem.message.split()[0]) for problem in problems(text)] == [
        (20, "drill"),
        (22, "backup"),
    ]


def test_an_exception_from_hardening_is_given_once(problems: Problems) -> None:
    """A second one of the same rule is refused at its own line."""
    growth = VALID.index("  growth:")
    again = VALID[VALID.index("      - rule: cron") : growth].replace("2026-12-30", "2027-12-30")
    (problem,) = problems(VALID[:growth] + again + VALID[growth:])
    assert (problem.line, problem.message, problem.mend) == (
        30,
        "cron has an exception already",
        "keep one of them",
    )


def test_what_the_contract_leaves_out_of_protection_has_its_default(tmp_path: Path) -> None:
    """Single keys and whole parts."""
    file = tmp_path / "contract.yml"
    file.write_text(VALID)
    contract = read(file)
    assert contract.backup.model_dump() == {
        "retention_days": 30,
        "proven_within_days": 8,
        "rpo_seconds": 60,
        "rto_minutes": 60,
    }
    file.write_text(VALID[: VALID.index("  backup:")])
    contract = read(file)
    assert (contract.backup.retention_days, contract.hardening.exceptions) == (14, ())


def test_an_exceptions_last_day_is_the_contracts(tmp_path: Path) -> None:
    """In Dubai the 31st begins at 20:00 UTC: from then on the rule applies, and the contract stays valid."""
    (tmp_path / "contract.yml").write_text(VALID)
    contract = read(tmp_path / "contract.yml")
    assert contract.ended_exceptions(datetime(2026, 12, 30, 19, 59, tzinfo=UTC)) == ()
    (ended,) = contract.ended_exceptions(datetime(2026, 12, 30, 20, 0, tzinfo=UTC))
    assert (ended.rule, ended.who) == ("cron", "R. Weber, head of IT")


def test_charge_none_drops_the_default_minutes(tmp_path: Path) -> None:
    """A contract that makes an activity free needs not know the default's minutes."""
    (tmp_path / "contract.yml").write_text(VALID.replace("minutes: 45", "charge: none"))
    terms = read(tmp_path / "contract.yml").terms("patch")
    assert (terms.charge, terms.minutes, terms.when_used_up) == ("none", None, "refuse")


def test_a_quoted_date_is_a_date(tmp_path: Path) -> None:
    """Quotes around a date change nothing, as the JSON Schema says."""
    (tmp_path / "contract.yml").write_text(VALID.replace("2026-01-01", '"2026-01-01"'))
    assert read(tmp_path / "contract.yml").term.start.year == 2026


def test_the_customer_is_the_folder(tmp_path: Path) -> None:
    """A contract that lies in another customer's folder is refused: it would bill the wrong one."""
    folder = tmp_path / "globex" / "group_vars" / "all"
    folder.mkdir(parents=True)
    (folder / "contract.yml").write_text(VALID)
    with pytest.raises(InvalidInput) as caught:
        read_customer(tmp_path, "globex")
    (problem,) = caught.value.problems
    assert (problem.line, problem.mend) == (2, "write `customer: globex`, or rename the folder")


def test_a_number_belongs_to_one_contract(tmp_path: Path) -> None:
    """Two customers with the same contract number would share one ledger: the second is refused."""
    for customer in ("acme", "globex"):
        (tmp_path / f"{customer}.yml").write_text(VALID.replace("customer: acme", f"customer: {customer}"))
    _, found = read_all([tmp_path / "acme.yml", tmp_path / "globex.yml"])
    assert [problem.file.name for problem in found] == ["globex.yml"]
    assert "AMC-2026-0001" in found[0].message


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 0),
        (b"# only a comment\n", 0),
        (b"\x7fELF\x02\x01\xff\xfe", 1),
        (b"a: 1\nb: \xff\n", 2),
        (b"a: 1\nb: \x00\n", 2),
        (b"- a\n- b\n", 1),
        (b"hello", 1),
        (b"a: 1\n---\nb: 2\n", 2),
        (b"[" * 5000, 0),
        (b'amc_contract:\n  customer: "\\ud800"\n', 2),
        (b"amc_contract: {version: 0x" + b"f" * 5000 + b"}", 1),
        (b'amc_contract: {"\\ud800": 1}', 1),
        (b"amc_contract: {version: " + b"9" * 5000 + b"}", 1),
        (b"amc_contract: {version: .inf}", 1),
        (b"amc_contract: {version: !!int ''}", 1),
        (b"amc_contract: {version: !!bool 3}", 1),
        (b"amc_contract: {version: !!timestamp 3}", 1),
        (b"amc_contract: {? [a]: 1}", 1),
    ],
)
def test_what_is_no_contract_is_refused_in_words(tmp_path: Path, content: bytes, line: int) -> None:
    """Empty, binary, badly encoded, too deep or odd content is a problem with a line, no traceback."""
    file = tmp_path / "contract.yml"
    file.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        read(file)
    assert line in [problem.line for problem in caught.value.problems]
    assert all(problem.mend for problem in caught.value.problems)
    str(caught.value).encode()


@pytest.mark.parametrize("name", ["nothing.yml", ".", "no\0name", "x" * 5000])
def test_what_is_no_file_is_refused_in_words(tmp_path: Path, name: str) -> None:
    """A missing file, a folder and an impossible name are problems, no tracebacks."""
    with pytest.raises(InvalidInput):
        read(tmp_path / name)


SNIPPETS = st.sampled_from(
    [*VALID.splitlines(keepends=True), "&a ", "*a", "<<: ", "? ", "!!set ", "{", "]", "\t"]
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.lists(st.one_of(SNIPPETS, st.text(max_size=5))).map("".join)))
def test_no_text_raises_anything_but_invalid_input(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Whatever stands in the file: a contract, or InvalidInput with words that can be printed."""
    file = tmp_path_factory.getbasetemp() / "any.yml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read(file)
    except InvalidInput as error:
        assert error.problems
        str(error).encode()


def test_ansible_would_read_the_same_values() -> None:
    """Our reader and plain YAML, as Ansible reads it, agree: roles and orchestrator see one contract."""
    for customer in ("acme", "globex"):
        content = (INVENTORIES / customer / "group_vars" / "all" / "contract.yml").read_bytes()
        plain = yaml.safe_load(content)
        assert data_of(content).data == json.loads(json.dumps(plain, default=str))
