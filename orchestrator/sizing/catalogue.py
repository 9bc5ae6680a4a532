"""The specifications that a server can have: catalogue.yml beside this file, read strictly."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator

from orchestrator.contracts.complaints import problems_of
from orchestrator.contracts.nodes import Reading, Unreadable, data_of
from orchestrator.contracts.part import Fault, Part, broken
from orchestrator.contracts.spelling import closest
from orchestrator.errors import InvalidInput, Problem, UsageError

PLACE = Path(__file__).with_name("catalogue.yml")
_ROOT = "a catalogue holds the one key `catalogue`, and a specification in each line below it"

Money = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Terms(Part):
    """One line of the catalogue, without its name."""

    provider: Literal["lab", "aws"] = Field(description="lab or aws", examples=["aws"])
    cpus: float = Field(gt=0, le=1024, description="CPUs as the server counts them", examples=[2])
    memory_mib: int = Field(ge=256, le=33_554_432, description="memory in MiB", examples=[4096])
    baseline: float = Field(
        gt=0, le=1, description="the share of the CPUs that can be used all the time", examples=[1.0]
    )
    usd_per_month: Money = Field(description="US dollars for 730 hours", examples=[70.08])
    priced_at: date = Field(description="the day on which the price was true", examples=["2026-11-24"])


class Spec(Terms):
    """A specification. `cpus` in CPUs, `baseline` their sustained share (1.0 = all), price in USD a month."""

    name: str

    @property
    def sustained_cpus(self) -> float:
        """The CPUs that can be used all the time."""
        return self.cpus * self.baseline


class CatalogueFile(Part):
    """The whole file."""

    catalogue: dict[str, Terms] = Field(
        min_length=1, description="at least one specification", examples=["{lab.small: {provider: lab, …}}"]
    )

    @field_validator("catalogue")
    @classmethod
    def _names_fit_the_provider(cls, catalogue: dict[str, Terms]) -> dict[str, Terms]:
        faults = [
            Fault(
                f"`{name}` belongs to the provider {terms.provider}",
                "lab's names start with `lab.`, no other's do",
                (name,),
            )
            for name, terms in catalogue.items()
            if name.startswith("lab.") != (terms.provider == "lab")
        ]
        if faults:
            raise broken(*faults)
        return catalogue


def read(path: Path = PLACE) -> dict[str, Spec]:
    """Every specification by its name, in the file's order. InvalidInput with all problems of the file."""
    reading = _data(path)
    problems = [Problem(path, line, message, mend) for line, message, mend in reading.faults]
    try:
        catalogue = CatalogueFile.model_validate_json(json.dumps(reading.data)).catalogue
    except ValidationError as error:
        told = {problem.line for problem in problems}
        more = problems_of(error, path, reading.lines, CatalogueFile.model_json_schema())
        problems += [problem for problem in more if problem.line not in told]
    if problems:
        raise InvalidInput(sorted(problems, key=lambda problem: problem.line))
    return {name: Spec(name=name, **terms.model_dump()) for name, terms in catalogue.items()}


def find(
    name: str, said_in: Path | None = None, line: int = 0, catalogue: Mapping[str, Spec] | None = None
) -> Spec:
    """A specification by its name.

    An unknown name is a UsageError; when a file said it (`said_in`, `line` 1-based, 0 for the whole file), an
    InvalidInput. Both tell the names that exist.
    """
    known = read() if catalogue is None else catalogue
    if name in known:
        return known[name]
    message = f"there is no specification `{name}` in the catalogue"
    mend = f"{closest(name, known)} known are: {', '.join(known)}".strip()
    if said_in is None:
        raise UsageError(message, mend)
    raise InvalidInput([Problem(said_in, line, message, mend)])


def of_provider(provider: str, catalogue: Mapping[str, Spec] | None = None) -> list[Spec]:
    """A provider's specifications, the cheapest first, among equals the smallest. Empty for an unknown."""
    known = read() if catalogue is None else catalogue
    own = [spec for spec in known.values() if spec.provider == provider]
    return sorted(own, key=lambda spec: (spec.usd_per_month, spec.cpus, spec.memory_mib, spec.name))


def _data(path: Path) -> Reading:
    try:
        reading = data_of(path.read_bytes())
    except OSError as error:
        mend = f"the catalogue is {PLACE.name} in orchestrator/sizing/"
        raise InvalidInput([Problem(path, 0, f"cannot be read: {error.strerror}", mend)]) from None
    except Unreadable as fault:
        mend = fault.mend if fault.line else _ROOT
        raise InvalidInput([Problem(path, fault.line, fault.message, mend)]) from None
    if not isinstance(reading.data, dict):
        raise InvalidInput([Problem(path, 1, "there are no keys and values in the file", _ROOT)])
    return reading
