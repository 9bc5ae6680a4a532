"""The reader: every rule of a contract, and the line, the message and the mend of each fault."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator.contracts.model import Mode
from orchestrator.contracts.nodes import data_of
from orchestrator.contracts.read import contract_schema, read, read_all, read_customer
from orchestrator.errors import InvalidInput, Problem

INVENTORIES = Path(__file__).parents[3] / "inventories"
VALID = """\
amc_contract:
  customer: acme
  customer_name: Acme Trading LLC
  number: AMC-2026-0001
  version: 1
  mode: retainer
  time_zone: Asia/Dubai
  term:
    start: 2026-01-01
    end: 2026-12-31
  hours:
    per_calendar_year: 60
    increment_minutes: 15
    minimum_minutes: 30
  maintenance_windows:
    - days: [friday, saturday]
      start: "22:00"
      end: "04:00"
  activities:
    patch:
      minutes: 45
"""

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
    assert (globex.mode, globex.hours.per_calendar_year) == (Mode.COMPREHENSIVE, None)
    assert "UTC" not in (acme.time_zone, globex.time_zone)


RULES = {
    "a key is missing": ("  number: AMC-2026-0001\n", "", 1, "number is missing", "number: AMC-2026-0001"),
    "a key is unknown": (
        "customer_name:",
        "customer_nam:",
        3,
        "unknown key `customer_nam`",
        "`customer_name`",
    ),
    "an activity is unknown": ("patch:", "ptach:", 20, "unknown activity `ptach`", "did you mean `patch`?"),
    "a key stands twice": ("  version: 1\n", "  version: 1\n  version: 2\n", 6, "second time", "keep one"),
    "the number is a text": ("AMC-2026-0001", "20260001", 4, "number must be a text, not 20260001", "a text"),
    "the version is whole": ("version: 1", "version: 1.5", 5, "version must be a whole number", "version: 1"),
    "the version counts from 1": ("version: 1", "version: 0", 5, "greater than or equal to 1", "version: 1"),
    "no name is empty": ("Acme Trading LLC", '""', 3, "customer_name is empty", "Acme Trading LLC"),
    "the customer is a folder's name": (
        "customer: acme",
        "customer: ACME",
        2,
        "customer is 'ACME'",
        "lower-case",
    ),
    "the mode is known": ("mode: retainer", "mode: retainr", 6, "mode is 'retainr'", "`retainer`?"),
    "the time zone exists": ("Asia/Dubai", "Asia/Dubay", 7, "no time zone 'Asia/Dubay'", "`Asia/Dubai`?"),
    "the time zone is not the machine's": ("Asia/Dubai", "localtime", 7, "no time zone 'localtime'", "IANA"),
    "the time zone is no path": ("Asia/Dubai", "/etc/localtime", 7, "no time zone", "IANA"),
    "a time zone is no folder of zones": ("Asia/Dubai", "Europe", 7, "no time zone 'Europe'", "IANA"),
    "a date exists": ("2026-01-01", "2026-02-30", 9, "'2026-02-30' is no valid value", "correct it"),
    "a date is a date": (
        "start: 2026-01-01",
        "start: soon",
        9,
        "term.start must be a date, not 'soon'",
        "YYYY",
    ),
    "the end is not before the start": (
        "2026-12-31",
        "2025-12-31",
        10,
        "before it starts",
        "from 2026-01-01",
    ),
    "a retainer has hours": ("    per_calendar_year: 60\n", "", 11, "a retainer contract needs", "60"),
    "no cap in a comprehensive one": ("mode: retainer", "mode: comprehensive", 12, "has no cap", "remove"),
    "a year's hours are positive": ("year: 60", "year: 0", 12, "greater than or equal to 1", "60"),
    "the increment divides the hour": (
        "increment_minutes: 15",
        "increment_minutes: 7",
        13,
        "is 7",
        "whole part",
    ),
    "the increment is not 0": ("increment_minutes: 15", "increment_minutes: 0", 13, "is 0", "whole part"),
    "the minimum is whole increments": (
        "minimum_minutes: 30",
        "minimum_minutes: 20",
        14,
        "multiple",
        "15 or 30",
    ),
    "minutes are not quoted": ("minutes: 30", 'minutes: "30"', 14, "must be a whole number, not '30'", "15"),
    "a day is a day": ("saturday]", "saturdy]", 16, "days[1] is 'saturdy'", "did you mean `saturday`?"),
    "days are a list": ("[friday, saturday]", "friday", 16, "days must be a list", "[friday, saturday]"),
    "there is a day": ("[friday, saturday]", "[]", 16, "days is empty", "[friday, saturday]"),
    "each day once": ("[friday, saturday]", "[friday, friday]", 16, "friday is named more", "once"),
    "a time is quoted": ('"22:00"', "22:00", 17, "reads 22:00 without quotes as the number 1320", '"22:00"'),
    "a time is HH:MM": ('"22:00"', '"22.00"', 17, "start is '22.00'", '"22:00"'),
    "a start is before midnight": ('"22:00"', '"24:00"', 17, "start is '24:00'", '"23:59"'),
    "an end is at most midnight": ('"04:00"', '"24:01"', 18, "end is '24:01'", '"24:00"'),
    "a window is not empty": ('"04:00"', '"22:00"', 18, "starts and ends at 22:00", "whole day"),
    "an anchor has no place": ('"04:00"', "*later", 18, "no anchors and aliases", "where it is meant"),
    "a tag has no place": ('"04:00"', "!vault x", 18, "values of the kind `!vault`", "plainly"),
    "an activity's keys are known": ("minutes: 45", "minuts: 45", 21, "unknown key `minuts`", "`minutes`?"),
    "logged only has no minutes": ("patch:", "backup:", 21, "backup is only logged", "charge: fixed"),
    "fixed needs minutes": ("patch:\n      minutes: 45", "drill: {charge: fixed}", 20, "needs minutes", "30"),
    "clock needs minutes": ("patch:\n      minutes: 45", "drill: {charge: clock}", 20, "needs minutes", "30"),
    "a charge is known": ("minutes: 45", "charge: foxed", 21, "charge is 'foxed'", "did you mean `fixed`?"),
    "a clause covers": ("minutes: 45", "clause: E1", 21, "clause is 'E1'", "C"),
    "a file is one key": (
        "amc_contract:",
        "amc_contracts:",
        1,
        "unknown key `amc_contracts`",
        "`amc_contract`?",
    ),
    "brackets are closed": ("[friday, saturday]", "[friday, saturday", 17, "no YAML", "brackets"),
}


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


def _validator() -> Draft202012Validator:
    schema = contract_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("customer", ["acme", "globex"])
def test_the_schema_accepts_the_demo_contracts(customer: str) -> None:
    """An editor that uses the JSON Schema has no complaint about the demo contracts."""
    content = (INVENTORIES / customer / "group_vars" / "all" / "contract.yml").read_bytes()
    assert list(_validator().iter_errors(data_of(content).data)) == []


@pytest.mark.parametrize(
    "name",
    [
        "a key is missing",
        "a key is unknown",
        "an activity is unknown",
        "the number is a text",
        "the version counts from 1",
        "the customer is a folder's name",
        "the mode is known",
        "a date is a date",
        "a retainer has hours",
        "no cap in a comprehensive one",
        "the increment divides the hour",
        "a day is a day",
        "there is a day",
        "a start is before midnight",
        "an end is at most midnight",
        "an activity's keys are known",
        "a charge is known",
        "a clause covers",
        "a file is one key",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(name: str) -> None:
    """Every rule that JSON Schema can express is in it, the rule between mode and hours included."""
    assert list(_validator().iter_errors(data_of(VALID.encode()).data)) == []
    mutated = data_of(VALID.replace(*RULES[name][:2]).encode()).data
    assert list(_validator().iter_errors(mutated)) != []


def test_the_schema_is_json() -> None:
    """The schema can be written as JSON and names its dialect."""
    assert json.loads(json.dumps(contract_schema()))["$schema"].startswith("https://json-schema.org/")


def test_ansible_would_read_the_same_values() -> None:
    """Our reader and plain YAML, as Ansible reads it, agree: roles and orchestrator see one contract."""
    for customer in ("acme", "globex"):
        content = (INVENTORIES / customer / "group_vars" / "all" / "contract.yml").read_bytes()
        plain = yaml.safe_load(content)
        assert data_of(content).data == json.loads(json.dumps(plain, default=str))
