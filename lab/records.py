"""What a lab remembers: its network, each server's number, image and layer. One JSON file, replaced whole."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.sizes import NO_LIMITS, Size


@dataclass(frozen=True)
class Entry:
    """A server: its number in the lab, the base image and the saved layer it was made from, the size it has.

    The size is noted before it is set: what was killed between the two is completed by the next command.
    """

    number: int
    image: str
    layer: str | None
    size: Size = NO_LIMITS

    @classmethod
    def read(cls, data: dict[str, Any]) -> "Entry":
        """From JSON; labs of earlier versions have no sizes."""
        return cls(**{**data, "size": Size(**data.get("size", {}))})


@dataclass
class Records:
    """Everything remembered of one lab."""

    network: IPv4Network | None = None
    servers: dict[str, Entry] = field(default_factory=dict)


def read(path: Path) -> Records:
    """The records; empty ones when there are none, LabError when they can't be understood."""
    if not path.exists():
        return Records()
    try:
        data = json.loads(path.read_text())
        network = IPv4Network(data["network"]) if data["network"] else None
        return Records(network, {name: Entry.read(entry) for name, entry in data["servers"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(
            f"{path} cannot be understood: {error}", "amc lab down removes the lab, also without it"
        ) from error


def write(path: Path, records: Records) -> None:
    """Replace the file; a reader sees the old or the new one, never half of it."""
    data = {
        "network": str(records.network) if records.network else None,
        "servers": {name: asdict(entry) for name, entry in sorted(records.servers.items())},
    }
    replace(path, json.dumps(data, indent=1) + "\n")


def replace(path: Path, text: str) -> None:
    """Write `text` beside `path` and rename."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


def ssh_config(home: Path, user: str, addresses: Iterable[tuple[str, str]]) -> str:
    """An ssh_config that resolves the servers' names; nothing else is touched by it."""
    lines = ["# Written by the lab at every change."]
    for name, address in addresses:
        lines += [
            f"Host {name}",
            f"    HostName {address}",
            f"    User {user}",
            f'    IdentityFile "{home / "id_ed25519"}"',
            "    IdentitiesOnly yes",
            f'    UserKnownHostsFile "{home / "known_hosts"}"',
            "    GlobalKnownHostsFile none",
            "    StrictHostKeyChecking yes",
            "    ConnectTimeout 10",
        ]
    return "\n".join(lines) + "\n"
