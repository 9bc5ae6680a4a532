"""What the parts of the contract's model have in common: strict, frozen, and faults that know their mend."""

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


class Part(BaseModel):
    """Nothing is guessed, an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


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
