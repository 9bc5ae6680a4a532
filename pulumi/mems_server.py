"""`mems:index:MemsServer`: a server for M EMS of a specification, wherever its provider makes it."""

from typing import TYPE_CHECKING

import pulumi
from orchestrator.sizing.wanted import Wanted

if TYPE_CHECKING:
    from on_aws import Network


class MemsServer(pulumi.ComponentResource):
    """One server. `address` is where it is reached; its data is on a disk that only grows.

    Its parts are its provider's (on_aws.py, on_lab.py), named after it and protected against deletion.
    """

    address: pulumi.Output[str]

    def __init__(self, wanted: Wanted, network: "Network | None" = None) -> None:
        super().__init__("mems:index:MemsServer", wanted.name)
        if network is not None and wanted.provider == "aws":
            import on_aws  # pulumi-aws is 271 MB: only where AWS is

            self.address = on_aws.server(wanted, self, network)
        else:
            import on_lab

            self.address = on_lab.server(wanted, self)
        self.register_outputs({"address": self.address, "spec": wanted.spec.name})
