"""`amc contract`: are the contracts valid, and what may they say?"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import settings
from orchestrator.errors import InvalidInput, Problem, UsageError

if TYPE_CHECKING:
    from orchestrator.contracts.model import Contract

app = typer.Typer(help="The customers' contracts.", no_args_is_help=True)


@app.command()
def check(
    which: Annotated[
        str, typer.Argument(metavar="[CUSTOMER|FILE]", help="a customer or a file; all customers without it")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document, also for problems")] = False,
) -> None:
    """Check contracts; without an argument all of inventories/. Problems have file, line, mend (exit 3)."""
    from orchestrator.contracts.read import read_all  # pydantic only where contracts are read

    contracts, problems = read_all(_files(which))
    if not which:
        from orchestrator.fleet.faults import faults  # Ansible takes half a second

        inventories = settings.read().inventories
        problems += faults(inventories) or _of_specifications(inventories)
    if as_json:
        print(json.dumps(_document(contracts, problems), indent=2))
        raise typer.Exit(InvalidInput.exit_code if problems else 0)
    for contract in contracts:
        print(_line(contract))
        for words in _notices(contract):
            print(f"  {words}")
    if problems:
        raise InvalidInput(problems)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a contract file, for editors."""
    from orchestrator.contracts.read import contract_schema

    print(json.dumps(contract_schema(), indent=2))


def _of_specifications(inventories: Path) -> list[Problem]:
    """What is wrong with what the servers are to be made of; of folders that can be read."""
    from orchestrator.fleet.read import customers
    from orchestrator.sizing import wanted

    problems: list[Problem] = []
    for customer in customers(inventories):
        try:
            wanted.read(inventories, customer)
        except InvalidInput as error:
            problems += error.problems
    return problems


def _files(which: str) -> list[Path]:
    """The contract files meant by a customer's name, by a path, or by nothing at all."""
    from orchestrator.contracts.read import PLACE
    from orchestrator.contracts.spelling import closest
    from orchestrator.fleet.read import NOT_A_CUSTOMER, customers

    inventories = settings.read().inventories
    known = customers(inventories)
    if not which:
        if not known:
            mend = "add a folder with hosts.yml and group_vars/all/contract.yml"
            raise InvalidInput([Problem(inventories, 0, "there is no customer", mend)])
        return [inventories / customer / PLACE for customer in known]
    if which in known:
        return [inventories / which / PLACE]
    path = Path(which)
    if path.exists() or "/" in which or path.suffix:
        return [path]
    if which == NOT_A_CUSTOMER:
        raise UsageError(f"{which} is no customer: what customers share has no contract", "leave it out")
    mend = f"{closest(which, known)} customers: {', '.join(known) or 'none'}".strip()
    raise UsageError(f"there is no customer and no file `{which}`", mend)


def _line(contract: "Contract") -> str:
    hours = contract.hours.per_calendar_year
    term = f"from {contract.term.start}" + (f" to {contract.term.end}" if contract.term.end else "")
    windows = "; ".join(
        f"{', '.join(window.days)} {window.start}-{window.end}" for window in contract.maintenance_windows
    )
    limit = f"{hours} h a calendar year" if hours else "no cap"
    return (
        f"{contract.customer}: ok, {contract.number} version {contract.version}, {contract.mode}, {limit}, "
        f"{term}, {contract.time_zone}, windows {windows}"
    )


def _notices(contract: "Contract") -> list[str]:
    """What is no fault of the contract, but somebody should know."""
    from orchestrator.schedule.occurrences import never_fits

    return _ended(contract) + never_fits(contract)


def _ended(contract: "Contract") -> list[str]:
    """Exceptions that no longer hold."""
    return [
        f"no longer holds: the exception from hardening rule {each.rule} (by {each.who}) ended with "
        f"{each.until}; harden applies the rule again"
        for each in contract.ended_exceptions(datetime.now(UTC))
    ]


def _document(contracts: "list[Contract]", problems: list[Problem]) -> dict[str, Any]:
    return {
        "valid": not problems,
        "notices": [
            f"{contract.customer}: {words}" for contract in contracts for words in _notices(contract)
        ],
        "contracts": [contract.model_dump(mode="json", exclude_none=True) for contract in contracts],
        "problems": [
            {
                "file": str(problem.file),
                "line": problem.line,
                "message": problem.message,
                "mend": problem.mend,
            }
            for problem in problems
        ],
    }
