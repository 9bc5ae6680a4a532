"""A MemsServer in the local lab, by the provider of providers/emslab."""

from emslab import Server

import pulumi
from orchestrator.sizing.wanted import Wanted


def server(wanted: Wanted, parent: pulumi.Resource) -> "pulumi.Output[str]":
    """The lab's server of that name, made or adopted. Live changes, unless the inventory wants it stopped."""
    made = Server(
        wanted.name,
        name=wanted.name,
        cpus=wanted.spec.cpus,
        memory_mib=wanted.spec.memory_mib,
        disk_gib=wanted.disk_gib,
        stop_to_resize=wanted.stop_to_resize,
        opts=pulumi.ResourceOptions(parent=parent, protect=True),
    )
    return made.address
