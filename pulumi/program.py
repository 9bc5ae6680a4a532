"""A customer's servers: one MemsServer for each host with a `server_spec`. The project's only program."""

from collections.abc import Mapping
from pathlib import Path

from mems_server import MemsServer

import pulumi
from orchestrator.sizing import wanted


def program(customer: str, inventories: Path, specs: Mapping[str, str] | None = None) -> None:
    """Declare the servers of a customer's folder below `inventories`.

    `specs` ({server: specification}) wins over what the files say: an order that was not written down yet.
    InvalidInput or UsageError before anything is declared when a file or an order is not valid.
    """
    servers = wanted.read(inventories, customer, specs)
    network = None
    settings = [server.aws for server in servers if server.aws]
    if settings:
        from on_aws import Network  # pulumi-aws is 271 MB: only where AWS is

        network = Network(customer, settings[0])  # wanted.read has seen that all agree
    for server in servers:
        made = MemsServer(server, network)
        pulumi.export(server.name, {"address": made.address, "spec": server.spec.name})
