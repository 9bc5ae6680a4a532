"""What the contract refuses, in words and with the exit code of its kind."""

import shutil
from pathlib import Path

import pytest
from installation import Installation


@pytest.fixture
def poor(clone: Installation, installation: Installation, tmp_path: Path) -> Installation:
    """The same clone with an empty home of its own, and a contract of one hour a year."""
    inventories = tmp_path / "inventories"
    shutil.copytree(clone.folder / "inventories", inventories)
    contract = inventories / "acme/group_vars/all/contract.yml"
    text = contract.read_text()
    assert "per_calendar_year: 60" in text
    assert "minutes: 45" in text
    contract.write_text(text.replace("_year: 60", "_year: 1").replace(" minutes: 45", " minutes: 90"))
    own = {"AMC_HOME": str(tmp_path / "home"), "AMC_INVENTORIES": str(inventories)}
    return Installation(clone.folder, {**clone.environment, **own})


def test_excluded_work_names_the_clause(installation: Installation) -> None:
    """Customisation: exit 4 with the clause, the refusal is on record, no hour is held."""
    refused = installation.amc("run", "start", "customisation", "--customer", "acme")
    assert refused.returncode == 4
    assert "E1" in refused.stderr
    assert "Traceback" not in refused.stderr
    newest = installation.runs("acme")[0]
    assert (newest["activity"], newest["state"]) == ("customisation", "refused")
    assert installation.json("hours", "balance", "--customer", "acme")["held"] == 0


def test_missing_hours_name_the_balance_and_what_to_buy(poor: Installation) -> None:
    """A patch of 90 minutes does not fit into an hour: exit 5; bought hours mend it."""
    assert poor.amc("init").returncode == 0
    patch = ("run", "start", "patch", "--customer", "acme", "--now", "--why", "a test at any hour")
    refused = poor.amc(*patch)
    assert refused.returncode == 5
    assert "1:00" in refused.stderr
    assert "amc hours buy" in refused.stderr
    bought = poor.amc("hours", "buy", "--customer", "acme", "--hours", "1", "--note", "prepaid, invoice 1")
    assert bought.returncode == 0, bought.stderr
    again = poor.amc(*patch, "--wait")
    # This home's lab is empty, so the run itself fails: it is settled all the same, and says so.
    assert again.returncode == 8, again.stdout + again.stderr
    assert poor.json("hours", "balance", "--customer", "acme")["held"] == 0


def test_a_home_without_a_database_is_refused(clone: Installation, tmp_path: Path) -> None:
    """Only `amc init` creates a database: everything else says so, exits 3 and leaves nothing behind."""
    empty = Installation(clone.folder, {**clone.environment, "AMC_HOME": str(tmp_path / "none")})
    refused = empty.amc("hours", "balance", "--customer", "acme")
    assert refused.returncode == 3
    assert "amc init" in refused.stderr
    assert not (tmp_path / "none").exists()
