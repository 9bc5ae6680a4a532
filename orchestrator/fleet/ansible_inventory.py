"""The one module that calls Ansible's inventory loader. Importing it imports Ansible.

What Ansible only warns of (a misspelt `host:`, a server named twice) is a problem here: it would lose a
server in silence. Nothing is templated, so no lookup of a secret runs.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible._internal._datatag._tags import Origin
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.plugins.vars import host_group_vars
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

from orchestrator.errors import InvalidInput, Problem

# Variables that Ansible adds about itself and the place of the checkout.
_MAGIC = {
    "groups",
    "omit",
    "playbook_dir",
    "ansible_playbook_python",
    "ansible_config_file",
    "ansible_version",
}
# Ansible keeps its display and its caches once per process.
_one_reader = threading.Lock()


def hosts_of(file: Path) -> list[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """(name, groups without `all`, merged variables) of each host of an inventory file in YAML."""
    with _one_reader, _heard() as warnings:
        _forget()
        loader = DataLoader()
        try:
            # By itself first: the manager would only warn of a file that no plugin can read.
            inventory_loader.get("yaml").parse(InventoryData(), loader, str(file))
            inventory = InventoryManager(loader=loader, sources=[str(file)])
            variables = VariableManager(loader=loader, inventory=inventory)
            hosts = [
                (str(host.name), _groups(host), _plain(variables.get_vars(host=host, include_hostvars=False)))
                for host in inventory.get_hosts()
            ]
        except AnsibleError as error:
            raise InvalidInput([_problem(error, file)]) from error
    if warnings:
        raise InvalidInput([_warned(words, origin, file) for words, origin in warnings])
    return hosts


def _groups(host: Any) -> tuple[str, ...]:
    return tuple(sorted(str(group.name) for group in host.get_groups() if group.name != "all"))


def _plain(value: Any) -> Any:
    """Without Ansible's tags, so that the values can be compared, pickled and written as JSON."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items() if key not in _MAGIC}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return "".join(value)
    return value


@contextmanager
def _heard() -> Iterator[list[tuple[str, Any]]]:
    """Ansible's warnings in a list instead of on the terminal."""
    display = Display()
    heard: list[tuple[str, Any]] = []

    def warning(msg: str, *_: Any, obj: Any = None, **__: Any) -> None:
        if (msg, obj) not in heard:
            heard.append((msg, obj))

    display.warning, display.display = warning, lambda *_, **__: None
    try:
        yield heard
    finally:
        del display.warning, display.display


def _forget() -> None:
    """A worker lives for weeks: files that came or went since the last reading have to be seen."""
    for cache in (host_group_vars.FOUND, host_group_vars.NAK, host_group_vars.CANONICAL_PATHS):
        cache.clear()


def _warned(words: str, obj: Any, file: Path) -> Problem:
    where, line = _place(obj) or (file, 0)
    return Problem(where, line, words, "correct it: Ansible would pass over it")


def _problem(error: AnsibleError, file: Path) -> Problem:
    """The words of the error, and the first place that it or one of its causes names."""
    words = " ".join(str(error).split())
    cause: BaseException | None = error
    while cause:
        if place := _place(getattr(cause, "obj", None)):
            return Problem(*place, words, "correct this line or the one before")
        cause = cause.__cause__ or cause.__context__
    return Problem(file, 0, words, "compare it with another customer's hosts.yml")


def _place(obj: Any) -> tuple[Path, int] | None:
    origin = obj if isinstance(obj, Origin) else Origin.get_tag(obj)
    return (Path(origin.path), origin.line_num or 0) if origin and origin.path else None
