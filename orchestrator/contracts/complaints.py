"""pydantic's errors in the words of a person who edits a contract, with file, line and mend."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.contracts.spelling import closest
from orchestrator.errors import Problem

Place = tuple[str | int, ...]
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "date_type": "a date",
    "date_parsing": "a date",
    "date_from_datetime_parsing": "a date",
    "date_from_datetime_inexact": "a date",
}
_FAULTS = {
    "missing": "is missing",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "is {}",
}


def problems_of(
    error: ValidationError, file: Path, lines: dict[Place, int], schema: dict[str, Any]
) -> list[Problem]:
    """Every error as a Problem; `lines` gives the line of each path, `schema` what belongs there."""
    problems = []
    for details in error.errors(include_url=False):
        place: Place = details["loc"][:-1] if _is_of_a_key(details) else details["loc"]
        for message, mend, below in _words(details, place, schema):
            problems.append(Problem(file, _line((*place, *below), lines), message, mend))
    return problems


def _line(place: Place, lines: dict[Place, int]) -> int:
    """The line of a path, or of the nearest key above it that stands in the file."""
    while place not in lines:
        place = place[:-1]
    return lines[place]


def _words(details: ErrorDetails, place: Place, schema: dict[str, Any]) -> list[tuple[str, str, Place]]:
    """(message, mend, path below `place`) of each fault that one error of pydantic stands for."""
    if details["type"] == "rule":
        return list(details["ctx"]["faults"])
    if details["type"] == "too_short" and details["input"]:
        return []  # a list is counted without its invalid items, which have their own words
    if details["type"] == "extra_forbidden" or _is_of_a_key(details):
        known = _keys(_part(place[:-1], schema))
        what = "activity" if place[-2:-1] == ("activities",) else "key"
        named = closest(str(place[-1]), known) or "remove it;"
        return [(f"unknown {what} `{place[-1]}`", f"{named} known here: {', '.join(known)}", ())]
    named = closest(details["input"], _choices(details)) if isinstance(details["input"], str) else ""
    return [(f"{_name(place)} {_fault(details)}", named or _mend(place, schema), ())]


def _is_of_a_key(details: ErrorDetails) -> bool:
    """pydantic marks an error of a dict's key, instead of its value, at the end of the path."""
    return details["loc"][-1:] == ("[key]",) and details["type"] != "extra_forbidden"


def _fault(details: ErrorDetails) -> str:
    kind, shown = details["type"], _shown(details)
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}, not {shown}"
    if kind in _FAULTS:
        return _FAULTS[kind].format(shown)
    return f"is {shown}: {details['msg'].replace('Input should', 'it should')}"


def _shown(details: ErrorDetails) -> str:
    words = repr(details["input"])
    return words if len(words) <= 60 else f"{words[:57]}..."


def _choices(details: ErrorDetails) -> list[str]:
    if details["type"] not in ("enum", "literal_error"):
        return []
    expected = str(details["ctx"]["expected"])
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def _name(place: Place) -> str:
    """`maintenance_windows[0].start`, without the one key of the file."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return words.removeprefix(".amc_contract.").removeprefix(".") or "the file"


def _mend(place: Place, schema: dict[str, Any]) -> str:
    """What belongs there, from the nearest described key: the schema carries descriptions and examples."""
    while place and "description" not in _part(place, schema):
        place = place[:-1]
    part = _part(place, schema)
    if not place:
        return "a contract file holds the one key `amc_contract`"
    example = part.get("examples", [""])[0]
    return f"{part['description']}, for example `{place[-1]}: {example}`"


def _keys(part: dict[str, Any]) -> list[str]:
    names = part.get("properties") or part.get("propertyNames", {}).get("enum", [])
    return list(names)


def _part(place: Place, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a path, $ref followed; empty where the schema knows nothing."""
    part = _followed(schema, schema)
    for step in place:
        part = _followed(_below(part, step), schema)
    return part


def _below(part: dict[str, Any], step: str | int) -> dict[str, Any]:
    if isinstance(step, int):
        found = part.get("items", {})
    else:
        found = part.get("properties", {}).get(step) or part.get("additionalProperties") or {}
    return found if isinstance(found, dict) else {}


def _followed(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    # A part that may be left out is "this or null".
    reference = part.get("$ref") or next(
        (each["$ref"] for each in part.get("anyOf", ()) if "$ref" in each), ""
    )
    if not reference:
        return part
    target: dict[str, Any] = schema["$defs"][reference.rsplit("/", 1)[-1]]
    return {**target, **{key: value for key, value in part.items() if key != "$ref"}}
