"""`emslab:index:Server`: a server of this installation's lab, over the same functions as `amc lab`.

Its id is its name. `create` takes over a server that the lab has; what cannot be is refused in `check`.
An operation that was killed half-way is completed by the next one: the lab looks at what lives.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import inputs
from inputs import SIZES, UNKNOWN, Inputs, plain, wrapped
from pulumi.provider.experimental import provider as sdk

from lab import Lab, LabError, Server, Size
from lab.sizes import Machine
from lab.sizes import faults as too_much
from orchestrator import settings

T = TypeVar("T")


class Refused(Exception):
    """What the lab said, and what to do about it."""


class LabServers(sdk.Provider):
    """The provider. Every change holds the lab's own lock, in a thread, so that the engine is answered on."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def finished(self) -> None:
        """Until no operation runs."""
        while self._running:
            await asyncio.wait(self._running)

    async def get_schema(self, _: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:
        """For `pulumi import` and `pulumi package`."""
        return sdk.GetSchemaResponse(Path(__file__).with_name("schema.json").read_text())

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuse what cannot be, before anything is changed."""
        new, old = plain(request.new_inputs), plain(request.old_inputs)
        found = inputs.faults(new)
        if not found and UNKNOWN not in new.values():
            # Nothing is known of it yet: it is made, or taken over as it is.
            same = not old or all(old.get(key) == new.get(key) for key in inputs.REPLACING)
            found = await self._doing(lambda: _beyond(Inputs.of(new), same))
        return sdk.CheckResponse(request.new_inputs, [sdk.CheckFailure(key, words) for key, words in found])

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Another name or image is another server; a size is changed; one that does not run is started."""
        old, new = plain(request.old_state), plain(request.new_inputs)
        changed = [key for key in inputs.KNOWN if _differs(key, old, new)]
        if old.get("state") != "running":
            changed.append("state")
        changed = [key for key in changed if key not in request.ignore_changes]
        replaced = [key for key in changed if key in inputs.REPLACING]
        kinds = sdk.PropertyDiffKind
        return sdk.DiffResponse(
            changes=bool(changed),
            diffs=changed,
            replaces=replaced,
            delete_before_replace=True,
            stables=["name", "address"],
            detailed_diff={
                key: sdk.PropertyDiff(
                    kinds.UPDATE_REPLACE if key in replaced else kinds.UPDATE, input_diff=False
                )
                for key in changed
            },
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make the server, or take over the one of that name."""
        values = plain(request.properties)
        if request.preview:
            return sdk.CreateResponse(None, wrapped({**values, "address": UNKNOWN, "state": UNKNOWN}))
        asked = Inputs.of(values)
        return sdk.CreateResponse(
            asked.name, wrapped(_outputs(await self._doing(lambda: _create(asked)), values))
        )

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """What is really there, whatever the state says; an empty id for what is gone."""
        server = await self._doing(lambda: _find(request.resource_id))
        if server is None:
            return sdk.ReadResponse("")
        known, given = plain(request.properties), plain(request.inputs)
        found = _outputs(server, known)
        own = {key: found.get(key) for key in inputs.KNOWN if key in given or not given}
        return sdk.ReadResponse(request.resource_id, wrapped(found), wrapped(own))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change the size, live or as EC2 does, and see that the server runs."""
        values = plain(request.news)
        if request.preview:
            return sdk.UpdateResponse(wrapped({**plain(request.olds), **values, "state": "running"}))
        asked = Inputs.of({**values, "name": request.resource_id})
        return sdk.UpdateResponse(wrapped(_outputs(await self._doing(lambda: _resize(asked)), values)))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Remove the server and its files; one that is gone is no error."""
        await self._doing(lambda: _lab().destroy(request.resource_id))

    async def _doing(self, work: Callable[[], T]) -> T:
        """Do `work` in a thread, known to `finished`; the lab's errors become refusals."""
        task = asyncio.create_task(_in_words(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)


def _in_words(work: Callable[[], T]) -> Coroutine[Any, Any, T]:
    def told() -> T:
        try:
            return work()
        except LabError as error:
            raise Refused(
                f"{error.message}\n  mend: {error.mend}" if error.mend else error.message
            ) from error
        except OSError as error:
            raise Refused(f"{error}\n  mend: amc lab doctor examines this machine") from error

    return asyncio.to_thread(told)


def _lab() -> Lab:
    chosen = settings.read()
    return Lab(chosen.lab_home, chosen.cache)


def _find(name: str) -> Server | None:
    return next((each for each in _lab().status() if each.name == name), None)


def _beyond(asked: Inputs, same: bool) -> list[tuple[str, str]]:
    """What this machine cannot give; `same`: the server is changed, not made anew, so its disk stays."""
    lab = _lab()
    server = _find(asked.name)
    now = server.size if server and same else None
    found = too_much(asked.size, Machine.here(lab.home), now)
    return [(SIZES[fault.field], f"{fault.words}\n  mend: {fault.mend}") for fault in found]


def _create(asked: Inputs) -> Server:
    lab, server = _lab(), _find(asked.name)
    if server is None:
        return lab.up([asked.name], layer=asked.image, sizes={asked.name: asked.size})[0]
    if asked.image is not None and asked.image != server.layer:
        made_from = f"layer {server.layer}" if server.layer else "the base image"
        raise LabError(
            f"the lab has a server {asked.name}, made from {made_from}, not from {asked.image}",
            f"amc lab destroy {asked.name}, or leave `image` out to take it over as it is",
        )
    return _resize(asked)


def _resize(asked: Inputs) -> Server:
    lab = _lab()
    lab.resize(asked.name, asked.size, stop=asked.stop)
    return lab.up([asked.name])[0]


def _outputs(server: Server, asked: dict[str, Any]) -> dict[str, Any]:
    """The server as it is; `image` only where one was asked for: any other is nobody's wish to replace."""
    size: Size = server.size
    return {
        "name": server.name,
        "cpus": size.cpus,
        "memoryMib": size.memory_mib,
        "diskGib": size.disk_gib,
        "image": server.layer if asked.get("image") is not None else None,
        "stopToResize": asked.get("stopToResize", False),
        "address": server.address,
        "state": server.state,
    }


def _differs(key: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    if key == "diskGib" and new.get(key) is None:
        return False  # nothing is said of the disk: it stays
    if key == "stopToResize":
        return bool(old.get(key)) != bool(new.get(key))
    return bool(old.get(key) != new.get(key))
