"""`emslab:index:Server` for programs: a server of the local lab, by the provider in providers/emslab."""

import pulumi


class Server(pulumi.CustomResource):
    """A lab server. Made, or taken over where the lab has one of that name; changed while it runs.

    `cpus`: processors, 0.5 is half of one; `memory_mib`, `disk_gib`: its own disk, which only grows, None: it
    stays as it is. `stop_to_resize`: stop, change, start, as EC2 does. `image`: a saved layer to start from.
    Another name or image is another server. Outputs: these, and `address` and `state`.
    """

    address: pulumi.Output[str]
    state: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        cpus: pulumi.Input[float],
        memory_mib: pulumi.Input[int],
        disk_gib: pulumi.Input[int] | None = None,
        stop_to_resize: pulumi.Input[bool] = False,
        image: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "name": name,
            "cpus": cpus,
            "memoryMib": memory_mib,
            "diskGib": disk_gib,
            "stopToResize": stop_to_resize,
            "image": image,
            "address": None,  # the SDK takes outputs for what is declared so
            "state": None,
        }
        super().__init__("emslab:index:Server", resource_name, properties, opts)
