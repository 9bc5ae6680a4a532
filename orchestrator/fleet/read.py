"""Customers and their servers, read from inventories/ through Ansible's own loader, as playbooks see them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import InvalidInput, Problem

HOSTS = "hosts.yml"
# What customers share (the backup server) is maintained, but billed to nobody.
NOT_A_CUSTOMER = "provider"
MAINTAINED = "mems"  # the group whose servers the playbooks are for


@dataclass(frozen=True)
class Server:
    """One server.

    `provider` is its `server_provider`, empty for a server that is simply there, reached by SSH. `groups` are
    sorted, without `all`. `variables` are host_vars and group_vars merged as Ansible merges them, not
    templated: a lookup of a secret stays the text it is in the file.
    """

    name: str
    provider: str
    groups: tuple[str, ...]
    variables: dict[str, Any]


@dataclass(frozen=True)
class Fleet:
    """A folder's servers, sorted by name. `folder` is what playbooks get as an inventory."""

    customer: str
    folder: Path
    servers: tuple[Server, ...]


def customers(inventories: Path) -> list[str]:
    """The names of the folders that are customers: all with a hosts.yml, except what customers share."""
    found = (hosts.parent.name for hosts in inventories.glob(f"*/{HOSTS}"))
    return sorted(name for name in found if name != NOT_A_CUSTOMER)


def provider_folder(inventories: Path) -> Path | None:
    """The folder of what customers share, the second inventory of every run; None when there is none."""
    folder = inventories / NOT_A_CUSTOMER
    return folder if (folder / HOSTS).is_file() else None


def owners(inventories: Path) -> list[str]:
    """Every folder with servers: the customers, then what they share."""
    return customers(inventories) + ([NOT_A_CUSTOMER] if provider_folder(inventories) else [])


def read(inventories: Path, customer: str) -> Fleet:
    """A customer's servers, or the provider's. InvalidInput, with file and line where Ansible names them."""
    folder = inventories / customer
    hosts = folder / HOSTS
    if not hosts.is_file():
        known = ", ".join(owners(inventories)) or "none"
        raise InvalidInput([Problem(hosts, 0, "there is no such file", f"folders with servers: {known}")])
    from orchestrator.fleet.ansible_inventory import hosts_of  # Ansible takes half a second

    servers = tuple(_server(hosts, *host) for host in sorted(hosts_of(hosts)))
    if not servers:
        raise InvalidInput(
            [
                Problem(
                    hosts, 0, "no server is declared", f"name one below all.children.{_group(customer)}.hosts"
                )
            ]
        )
    return Fleet(customer, folder, servers)


def maintained(inventories: Path, customer: str) -> list[str]:
    """The names of the customer's servers that the playbooks are for. InvalidInput as `read`."""
    return [each.name for each in read(inventories, customer).servers if MAINTAINED in each.groups]


def _group(customer: str) -> str:
    return "backup_server" if customer == NOT_A_CUSTOMER else MAINTAINED


def _server(hosts: Path, name: str, groups: tuple[str, ...], variables: dict[str, Any]) -> Server:
    provider = variables.get("server_provider", "")
    if not isinstance(provider, str):
        raise InvalidInput(
            [Problem(hosts, 0, f"server_provider of {name} is {provider!r}", "write a name, such as `lab`")]
        )
    return Server(name, provider, groups, variables)
