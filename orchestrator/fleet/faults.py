"""What is wrong with folders beside each other: a run reads the customer's and the provider's."""

from pathlib import Path

from orchestrator.errors import InvalidInput, Problem
from orchestrator.fleet.read import HOSTS, NOT_A_CUSTOMER, Fleet, owners, provider_folder, read


def faults(inventories: Path) -> list[Problem]:
    """Every fault of the hosts.yml files, of the provider's folder, and of names that two folders use."""
    fleets, problems = [], []
    for owner in owners(inventories):
        try:
            fleets.append(read(inventories, owner))
        except InvalidInput as error:
            problems += error.problems
    return problems + _of_the_provider(provider_folder(inventories), fleets) + _doubled(fleets)


def _of_the_provider(folder: Path | None, fleets: list[Fleet]) -> list[Problem]:
    if folder is None:
        return []
    problems = []
    for place in ("all", "all.yml", "all.yaml", "all.json"):
        if (found := folder / "group_vars" / place).exists():
            words = "variables of `all` would win over every customer's, whose runs read this folder too"
            problems.append(Problem(found, 0, words, f"move it to {folder / 'group_vars' / 'backup_server'}"))
    for server in (each for fleet in fleets if fleet.customer == NOT_A_CUSTOMER for each in fleet.servers):
        if "amc_contract" in server.variables:
            words = f"{server.name} has a contract, and what customers share is billed to nobody"
            problems.append(Problem(folder / HOSTS, 0, words, "remove `amc_contract` from its variables"))
        if "mems" in server.groups:
            words = f"{server.name} is in the group `mems`, whose servers belong to a customer"
            problems.append(Problem(folder / HOSTS, 0, words, "move it to the customer's folder"))
    return problems


def _doubled(fleets: list[Fleet]) -> list[Problem]:
    """Backups, the ssh_config and a run's two inventories know a server by its name alone."""
    problems, owner_of = [], dict[str, str]()
    for fleet in fleets:
        for server in fleet.servers:
            owner = owner_of.setdefault(server.name, fleet.customer)
            if owner != fleet.customer:
                words = f"{server.name} is the name of a server of {owner} too"
                mend = f"rename one, for example {fleet.customer}-{server.name}"
                problems.append(Problem(fleet.folder / HOSTS, 0, words, mend))
    return problems
