"""YAML text to plain data that knows its lines: no value is lost or guessed on the way."""

from datetime import date
from typing import Any, NamedTuple

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
_KINDS: dict[type[Node], tuple[str, ...]] = {
    MappingNode: ("map",),
    SequenceNode: ("seq",),
    ScalarNode: ("str", "int", "float", "bool", "null", "timestamp"),
}
_TAG = "tag:yaml.org,2002:"


class Unreadable(Exception):
    """The text is no YAML document that a contract may be."""

    def __init__(self, line: int, message: str, mend: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.mend = mend


class Reading(NamedTuple):
    """Data as JSON knows it, the 1-based line of each path in it, and faults as (line, message, mend)."""

    data: Any
    lines: dict[Path, int]
    faults: list[tuple[int, str, str]]


def data_of(content: bytes) -> Reading:
    """The one document of a file's content; Unreadable when it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(line, "this is not text in UTF-8", "save the file as UTF-8 text") from None
    try:
        node = _compose(text)
        if node is None:
            raise Unreadable(0, "the file is empty", "write the contract below the key `amc_contract`")
        reading = Reading(None, {(): 1}, [])
        return reading._replace(data=_data(node, (), reading))
    except RecursionError:
        raise Unreadable(0, "the file is nested too deeply", "write the contract's keys plainly") from None


class _Loader(yaml.SafeLoader):
    """PyYAML's own composer, in Python: nodes with marks. An alias could build endless data."""

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # its stub is untyped
            raise Unreadable(
                mark.line + 1, "the file may use no anchors and aliases", "write the value where it is meant"
            )
        return super().compose_node(parent, index)


def _compose(text: str) -> Node | None:
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(
            mark.line + 1 if mark else 0,
            f"this is no YAML: {error.problem or error.context}",
            "look at indentation, quotes and brackets in this line and the one before",
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Unreadable(
            line, f"the character {error.character!r} is not allowed in YAML", "remove it"
        ) from None


def _data(node: Node, path: Path, reading: Reading) -> Any:
    if node.tag.removeprefix(_TAG) not in _KINDS[type(node)]:
        _fault(node, f"the file may hold no values of the kind `{node.tag}`", "write it plainly", reading)
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, path, reading)
    if isinstance(node, SequenceNode):
        return _sequence(node, path, reading)
    return _scalar(node, reading)


def _mapping(node: MappingNode, path: Path, reading: Reading) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, ScalarNode) or not key_node.value.isprintable():
            _fault(key_node, "a key must be a word", "write `key: value`", reading)
            continue
        key = key_node.value
        if key in data:
            first = reading.lines[*path, key]
            words = f"`{key}` stands here a second time, the first is in line {first}"
            _fault(key_node, words, "keep one of them", reading)
            continue
        reading.lines[*path, key] = _line(key_node)
        data[key] = _data(value_node, (*path, key), reading)
    return data


def _sequence(node: SequenceNode, path: Path, reading: Reading) -> list[Any]:
    for index, item in enumerate(node.value):
        reading.lines[*path, index] = _line(item)
    return [_data(item, (*path, index), reading) for index, item in enumerate(node.value)]


def _scalar(node: Node, reading: Reading) -> Any:
    try:
        value = SafeConstructor().construct_object(node)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, int) and ":" in node.value:
            words = f"YAML reads {node.value} without quotes as the number {value}"
            _fault(node, words, f'write "{node.value}"', reading)
        str(value).encode()  # refuses what JSON can't carry: half a surrogate pair, a number of 5,000 digits
    except (ValueError, OverflowError, LookupError, AttributeError, yaml.YAMLError):
        kind = node.tag.removeprefix(_TAG)
        _fault(node, f"{node.value[:40]!a} is no valid value of the kind {kind}", "correct it", reading)
        return None
    return value


def _fault(node: Node, message: str, mend: str, reading: Reading) -> None:
    reading.faults.append((_line(node), message, mend))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
