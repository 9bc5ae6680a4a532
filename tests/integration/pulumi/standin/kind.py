"""What the stand-in knows of one type of resource."""

from typing import Any, ClassVar

from clouds import Clouds
from values import UNKNOWN


class Kind:
    """`replace` and `in_place` are all its inputs; `nested` the keys of those that have some."""

    replace: frozenset[str] = frozenset()
    in_place: frozenset[str] = frozenset()
    computed: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    nested: ClassVar[dict[str, frozenset[str]]] = {}
    delete_first = False
    named = False

    @property
    def inputs(self) -> frozenset[str]:
        return self.replace | self.in_place

    def strange(self, news: dict[str, Any]) -> set[str]:
        """Properties that there are not, those below others too."""
        found = set(news) - self.inputs
        for name, known in self.nested.items():
            for part in _parts(news.get(name)):
                found |= {f"{name}.{key}" for key in set(part) - known}
        return found

    def faults(self, news: dict[str, Any]) -> list[tuple[str, str]]:
        """(property, words) of values that are refused without asking AWS."""
        return []

    def changed(self, old_inputs: dict, state: dict, news: dict) -> list[str]:
        """What is set is compared with the last real state, so that drift shows; what is not, with what
        was set.
        """
        found = []
        for name in sorted(set(old_inputs) | set(news)):
            if name in news:
                before, after = state.get(name, old_inputs.get(name)), news[name]
                if self.as_said(name, before, after) != after:
                    found.append(name)
            elif name in old_inputs:
                found.append(name)
        return found

    def as_said(self, name: str, real: Any, said: Any) -> Any:
        """The real value in the form of the said one: only its keys, in its order."""
        if isinstance(said, dict) and isinstance(real, dict):
            return {key: self.as_said(name, real.get(key), value) for key, value in said.items()}
        if isinstance(said, list) and isinstance(real, list):
            return said if _sorted(real) == _sorted(said) else real
        return real

    def create(self, clouds: Clouds, inputs: dict[str, Any]) -> str:
        raise NotImplementedError

    def read(self, clouds: Clouds, name: str) -> dict[str, Any] | None:
        raise NotImplementedError

    def update(self, clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
        raise NotImplementedError

    def delete(self, clouds: Clouds, name: str, state: dict[str, Any]) -> None:
        raise NotImplementedError


def _parts(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value]
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _sorted(values: list) -> list[str]:
    return sorted(repr(sorted(value.items())) if isinstance(value, dict) else repr(value) for value in values)


def names(**tags: str) -> list[dict[str, str]]:
    """Tags as AWS wants them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_specification(kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The keyword of a call that makes something of this kind."""
    tags = inputs.get("tags") or {}
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": names(**tags)}]} if tags else {}


def tags_of(one: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}


def retag(clouds: Clouds, name: str, olds: dict[str, Any], news: dict[str, Any]) -> None:
    old, new = olds.get("tags") or {}, news.get("tags") or {}
    if gone := [{"Key": key} for key in old if key not in new]:
        clouds.ec2.delete_tags(Resources=[name], Tags=gone)
    if new != old and new:
        clouds.ec2.create_tags(Resources=[name], Tags=names(**new))


def is_known(value: Any) -> bool:
    return value != UNKNOWN
