"""Reads contracts from their files: every problem at once, each with its file, line and mend.

1. text    the file as UTF-8
2. nodes   YAML nodes, which know their lines; anchors are refused, since they have no place in a contract
3. data    plain data and the line of every key; doubled keys and odd values are problems here
4. model   pydantic's strict rules on the data, their errors put into our words with the schema's descriptions
"""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.contracts.complaints import problems_of
from orchestrator.contracts.model import Contract, ContractFile
from orchestrator.contracts.nodes import Reading, Unreadable, data_of
from orchestrator.errors import InvalidInput, Problem, UsageError
from orchestrator.fleet.read import NOT_A_CUSTOMER

PLACE = Path("group_vars", "all", "contract.yml")


def read_customer(inventories: Path, customer: str) -> Contract:
    """The contract in a customer's folder. InvalidInput as in `read`; UsageError for what customers share."""
    if customer == NOT_A_CUSTOMER:
        raise UsageError(
            f"{customer} is no customer: what customers share has no contract", "name a customer"
        )
    return read(inventories / customer / PLACE)


def read(path: Path) -> Contract:
    """The contract of a file that holds the one key `amc_contract`.

    In a customer's folder its `customer` must be the folder's name. InvalidInput with all problems otherwise.
    """
    reading = _data(path)
    problems = [Problem(path, line, message, mend) for line, message, mend in reading.faults]
    try:
        contract = ContractFile.model_validate_json(json.dumps(reading.data)).amc_contract
    except ValidationError as error:
        told = {problem.line for problem in problems}
        model_problems = problems_of(error, path, reading.lines, contract_schema())
        problems += [problem for problem in model_problems if problem.line not in told]
    else:
        problems += _folder_problems(path, contract, reading)
        if not problems:
            return contract
    raise InvalidInput(sorted(problems, key=lambda problem: problem.line))


def read_all(paths: list[Path]) -> tuple[list[Contract], list[Problem]]:
    """The valid contracts of several files, and all problems; a number belongs to one contract only."""
    contracts: list[Contract] = []
    problems: list[Problem] = []
    owners: dict[str, str] = {}
    for path in paths:
        try:
            contract = read(path)
        except InvalidInput as error:
            problems += error.problems
            continue
        contracts.append(contract)
        owner = owners.setdefault(contract.number, contract.customer)
        if owner != contract.customer:
            message = f"number {contract.number} is the number of {owner}'s contract too"
            problems.append(
                Problem(path, 0, message, "give each contract its own number: hours are booked by it")
            )
    return contracts, problems


def contract_schema() -> dict[str, Any]:
    """The JSON Schema of a whole contract file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ContractFile.model_json_schema(),
    }


def _data(path: Path) -> Reading:
    try:
        return data_of(path.read_bytes())
    except FileNotFoundError:
        raise _invalid(
            path, 0, "there is no such file", f"a customer's contract is {PLACE} in its folder"
        ) from None
    except IsADirectoryError:
        raise _invalid(path, 0, "this is a folder", f"name the file, for example {path / PLACE}") from None
    except Unreadable as fault:
        raise _invalid(path, fault.line, fault.message, fault.mend) from None
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _invalid(path, 0, f"cannot be read: {words}", "name a file that can be read") from None


def _invalid(path: Path, line: int, message: str, mend: str) -> InvalidInput:
    return InvalidInput([Problem(path, line, message, mend)])


def _folder_problems(path: Path, contract: Contract, reading: Reading) -> list[Problem]:
    """A contract in another customer's folder would bill the wrong one."""
    place = path.absolute()
    if place.parts[-3:-1] != PLACE.parts[:2]:
        return []
    folder = place.parents[2].name
    if contract.customer == folder:
        return []
    return [
        Problem(
            path,
            reading.lines[("amc_contract", "customer")],
            f"customer is `{contract.customer}`, but the folder is `{folder}`",
            f"write `customer: {folder}`, or rename the folder",
        )
    ]
