"""What one commit says of a customer: the servers as Ansible sees them, and the contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from orchestrator.changes.differences import Intent
from orchestrator.contracts.read import PLACE, read_all, read_customer
from orchestrator.errors import AmcError, InvalidInput, Problem
from orchestrator.fleet.faults import faults
from orchestrator.fleet.read import HOSTS, MAINTAINED, customers, read


def intent(inventories: Path, customer: str) -> Intent:
    """From an exported folder; InvalidInput as Ansible and the contract's reader tell it."""
    if not (inventories / customer / HOSTS).is_file():
        return Intent(customer)
    fleet = read(inventories, customer)
    servers = {each.name: each.variables for each in fleet.servers if MAINTAINED in each.groups}
    return Intent(customer, servers, read_customer(inventories, customer))


def refuse_faults(inventories: Path) -> None:
    """InvalidInput with every fault of the inventories and the contracts together."""
    problems = faults(inventories)
    _, of_contracts = read_all([inventories / name / PLACE for name in customers(inventories)])
    if problems := list(dict.fromkeys([*problems, *of_contracts])):
        raise InvalidInput(problems)


@contextmanager
def told_of(commit: str, folder: Path) -> Iterator[None]:
    """Problems below `folder`, where a commit was written out, name the file as the repository does."""
    mark = f"{folder}/"
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput([_of(commit, folder, mark, each) for each in error.problems]) from error
    except AmcError as error:
        error.message, error.mend = error.message.replace(mark, ""), error.mend.replace(mark, "")
        raise


def _of(commit: str, folder: Path, mark: str, problem: Problem) -> Problem:
    file = problem.file
    if file.is_relative_to(folder):
        file = Path(f"{commit[:12]}:{file.relative_to(folder)}")
    words, mend = problem.message.replace(mark, ""), problem.mend.replace(mark, "")
    return replace(problem, file=file, message=words, mend=mend)
