"""What a program says of a lab server: read strictly, from and to the engine's values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_TEXT

from lab import Size

KNOWN = ("name", "cpus", "memoryMib", "diskGib", "image", "stopToResize")
REPLACING = ("name", "image")
SIZES = {"cpus": "cpus", "memory_mib": "memoryMib", "disk_gib": "diskGib"}
"""Fields of a Size with the properties that say them."""
UNKNOWN = object()
"""Stands for a value that the engine will know later; the SDK's own can't be compared."""
WORDS = {
    "name": "the server's name, text",
    "cpus": "a number of CPUs above 0, such as 0.5",
    "memoryMib": "a whole number of MiB above 0",
    "diskGib": "a whole number of GiB above 0",
    "image": "the key of a saved layer, text",
    "stopToResize": "true or false",
}


@dataclass(frozen=True)
class Inputs:
    """A server as it is to be. `image`: the saved layer it is made from, None the base image."""

    name: str
    size: Size
    image: str | None
    stop: bool

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Inputs":
        """From values without `faults`; none may be unknown."""
        disk = values.get("diskGib")
        size = Size(float(values["cpus"]), int(values["memoryMib"]), None if disk is None else int(disk))
        return cls(values["name"], size, values.get("image"), bool(values.get("stopToResize")))


def faults(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Properties with what is wrong with them; what is not known yet is not wrong."""
    found = [
        (key, f"there is no property `{key}`; known are {', '.join(KNOWN)}")
        for key in values
        if key not in KNOWN
    ]
    for key in KNOWN:
        value = values.get(key)
        if value is None:
            if key in ("name", "cpus", "memoryMib"):
                found.append((key, f"`{key}` is missing: {WORDS[key]}"))
        elif value is not UNKNOWN and not _fits(key, value):
            found.append((key, f"`{key}` is {value!r}: {WORDS[key]}"))
    return found


def _fits(key: str, value: Any) -> bool:
    if key in ("name", "image"):
        return isinstance(value, str) and bool(value)
    if key == "stopToResize":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return False
    return key == "cpus" or value == int(value)


def plain(values: Mapping[str, PropertyValue]) -> dict[str, Any]:
    """The engine's values as Python's; unknown ones are `UNKNOWN`, whole numbers int, nulls left out."""
    found = {}
    for key, wrapped in values.items():
        value = wrapped.value
        if isinstance(value, Computed):
            value = UNKNOWN
        if isinstance(value, float) and value == int(value):
            value = int(value)
        if value is not None:
            found[key] = value
    return found


def wrapped(values: Mapping[str, Any]) -> dict[str, PropertyValue]:
    """Python's values as the engine's, whose only numbers are floats; None is left out.

    The SDK reads an unknown value as Computed, and can't write that: it is sent as the engine's own text.
    """
    return {
        key: PropertyValue(
            UNKNOWN_TEXT if value is UNKNOWN else float(value) if type(value) is int else value
        )
        for key, value in values.items()
        if value is not None
    }
