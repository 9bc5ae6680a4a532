"""What the parts of the contract's model have in common: strict, frozen, and faults that know their mend."""

from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time HH:MM from 00:00 to 23:59."""
Words = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Part(BaseModel):
    """Nothing is guessed, an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, serialize_by_alias=True)


class Fault(NamedTuple):
    """A broken rule: `key` is the path below the checked value that is wrong, for the line."""

    message: str
    mend: str
    key: tuple[str | int, ...] = ()


def broken(*faults: Fault) -> PydanticCustomError:
    """What a validator raises for several faults at once."""
    # The faults travel in the error's context: its template would read braces as placeholders.
    return PydanticCustomError("rule", "a rule of the contract is broken", {"faults": faults})


def fault(message: str, mend: str, *key: str) -> PydanticCustomError:
    """What a validator raises for one."""
    return broken(Fault(message, mend, key))
