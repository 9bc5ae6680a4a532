"""The JSON Schema, for editors: it refuses what it can of what the reader refuses."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from orchestrator.contracts.nodes import data_of
from orchestrator.contracts.read import contract_schema
from tests.unit.contracts.broken_rules import RULES, VALID

INVENTORIES = Path(__file__).parents[3] / "inventories"


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
        "a backup's keys are known",
        "backups are kept a day at least",
        "a proof has an age",
        "an aim is a whole number",
        "hardening is known",
        "an exception has a day",
        "somebody wants it",
        "an exception says why",
        "an exception's keys are known",
        "exceptions are a list",
        "a cap is an amount",
        "a cap is not negative",
        "growth's keys are known",
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
