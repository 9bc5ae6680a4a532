"""`amc contract` as a user runs it: output, exit codes, and the page that documents it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.contracts import activities, clauses, protection

REPOSITORY = Path(__file__).parents[3]


def amc(*arguments: str, inventories: Path = REPOSITORY / "inventories") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "contract", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "AMC_INVENTORIES": str(inventories)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Inventories with acme as it is and globex with two faults."""
    for customer in ("acme", "globex"):
        folder = tmp_path / customer / "group_vars" / "all"
        folder.mkdir(parents=True)
        text = (REPOSITORY / "inventories" / customer / "group_vars/all/contract.yml").read_text()
        if customer == "globex":
            text = text.replace("version: 1", "version: 0").replace("Europe/Berlin", "Europe/Berln")
        (folder / "contract.yml").write_text(text)
        (tmp_path / customer / "hosts.yml").write_text(f"all: {{hosts: {{{customer}-erp1: }}}}\n")
    return tmp_path


def test_all_customers_one_line_each() -> None:
    """Without an argument every customer's contract is checked: mode, hours, zone and windows in a line."""
    done = amc("check")
    assert (done.returncode, done.stderr) == (0, "")
    acme, globex = done.stdout.splitlines()
    for words in (
        "acme: ok",
        "retainer",
        "60 h a calendar year",
        "Asia/Dubai",
        "friday, saturday 22:00-04:00",
    ):
        assert words in acme
    for words in ("globex: ok", "comprehensive", "no cap", "Europe/Berlin", "sunday 01:00-05:00"):
        assert words in globex


def test_one_customer_or_one_file() -> None:
    """A customer's name and its file's path mean the same contract."""
    by_name = amc("check", "acme")
    by_file = amc("check", "inventories/acme/group_vars/all/contract.yml")
    assert by_name.returncode == by_file.returncode == 0
    assert by_name.stdout == by_file.stdout
    assert len(by_name.stdout.splitlines()) == 1


def test_problems_exit_with_3_and_name_line_and_mend(faulty: Path) -> None:
    """All problems go to stderr with file, line and mend; valid contracts still have their line."""
    done = amc("check", inventories=faulty)
    assert done.returncode == 3
    assert done.stdout.startswith("acme: ok")
    assert re.search(r"globex/group_vars/all/contract\.yml:5: version is 0", done.stderr)
    assert re.search(
        r"contract\.yml:7: there is no time zone .*\n  mend: did you mean `Europe/Berlin`", done.stderr
    )
    assert "Traceback" not in done.stderr


def test_all_of_inventories_is_checked(faulty: Path) -> None:
    """Without an argument also the servers: two folders' names, and what customers share."""
    (faulty / "provider").mkdir()
    (faulty / "provider" / "hosts.yml").write_text("all: {hosts: {acme-erp1: {amc_contract: {}}}}\n")
    done = amc("check", inventories=faulty)
    assert done.returncode == 3
    assert "provider/hosts.yml: acme-erp1 has a contract" in done.stderr
    assert "provider/hosts.yml: acme-erp1 is the name of a server of acme too" in done.stderr


def test_json_is_one_document_for_problems_too(faulty: Path) -> None:
    """With --json stdout holds exactly one document, valid or not, and the exit code stays."""
    done = amc("check", "--json", inventories=faulty)
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr, document["valid"]) == (3, "", False)
    assert [contract["customer"] for contract in document["contracts"]] == ["acme"]
    assert [problem["line"] for problem in document["problems"]] == [5, 7]
    fine = amc("check", "acme", "--json", inventories=faulty)
    assert (fine.returncode, json.loads(fine.stdout)["valid"]) == (0, True)


def test_an_exception_that_has_ended_is_told_and_blocks_nothing(faulty: Path) -> None:
    """The rule is applied again; that is no fault of the contract, so the exit code stays 0."""
    contract = faulty / "acme" / "group_vars" / "all" / "contract.yml"
    contract.write_text(
        contract.read_text()
        + "  hardening: {exceptions: [{rule: ssh, who: R. Weber, why: x, until: 2026-01-31}]}\n"
    )
    done = amc("check", "acme", inventories=faulty)
    assert done.returncode == 0
    ok, told = done.stdout.splitlines()
    assert ok.startswith("acme: ok")
    assert told.startswith(
        "  no longer holds: the exception from hardening rule ssh (by R. Weber) ended with 2026-01-31"
    )
    document = json.loads(amc("check", "acme", "--json", inventories=faulty).stdout)
    assert (document["valid"], len(document["notices"])) == (True, 1)


@pytest.mark.parametrize(
    ("which", "code", "words"),
    [
        ("acmee", 2, "did you mean `acme`?"),
        ("provider", 2, "is no customer"),
        ("/bin/sh", 3, "not text"),
        ("nothing.yml", 3, "no such file"),
        ("inventories", 3, "this is a folder"),
    ],
)
def test_what_cannot_be_checked_is_said_in_words(which: str, code: int, words: str) -> None:
    """A misspelt customer is a usage error with the nearest name; what is no contract is invalid input."""
    done = amc("check", which)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_no_customers_at_all(tmp_path: Path) -> None:
    """An empty folder of inventories is not a success."""
    done = amc("check", inventories=tmp_path)
    assert done.returncode == 3
    assert "there is no customer" in done.stderr


def test_the_schema_is_printed_as_json() -> None:
    """`amc contract schema` prints one JSON Schema."""
    done = amc("schema")
    assert done.returncode == 0
    assert "amc_contract" in json.loads(done.stdout)["properties"]


def test_the_page_shows_the_defaults_of_the_code() -> None:
    """docs/contract.md lists the activities with clause, charge, minutes and rule as in the code."""
    page = (REPOSITORY / "docs" / "contract.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if re.match(r"\| `[a-z]+` \| C\d", line)
    ]
    assert rows == [
        [f"`{name}`", terms.clause, terms.charge, str(terms.minutes or ""), terms.when_used_up]
        for name, terms in activities.DEFAULTS.items()
    ]


def test_the_page_shows_what_backups_and_hardening_may_say() -> None:
    """docs/contract.md has each key of `backup` with its default, and each rule of hardening."""
    page = (REPOSITORY / "docs" / "contract.md").read_text()
    for name, default in protection.Backup().model_dump().items():
        assert f"| `{name}` | {default} | " in page
    assert [rule for rule in protection.RULES if f"`{rule}`" not in page] == []


def test_the_page_shows_every_clause_of_the_code() -> None:
    """docs/contract.md has each clause and note, word by word."""
    page = (REPOSITORY / "docs" / "contract.md").read_text()
    missing = [
        clause.id for clause in clauses.CLAUSES.values() if f"**{clause.id}** {clause.text}" not in page
    ]
    assert missing == []


def test_the_page_shows_every_excluded_work() -> None:
    """docs/contract.md names each kind of excluded work beside its clause."""
    page = (REPOSITORY / "docs" / "contract.md").read_text()
    for work, clause in activities.EXCLUDED.items():
        assert re.search(rf"\*\*{clause}\*\* .*\(`{work}`\)", page)
