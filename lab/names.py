"""Every name that a lab leaves on the machine, derived from the folder it lives in.

So leftovers can be found and removed when the lab's own records are gone. Pure.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

INTERFACE_NAME_LIMIT = 15
"""IFNAMSIZ without its closing zero."""

SERVER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Names:
    """Names of one lab; `number` is a server's number, 10 to 250, also its address's last octet."""

    lab: str

    @classmethod
    def of(cls, home: Path) -> "Names":
        """The lab that lives in `home`: `l` and five hex digits."""
        return cls("l" + hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:5])

    @property
    def bridge(self) -> str:
        """The bridge that the lab's servers are on."""
        return f"br-{self.lab}"

    @property
    def table(self) -> str:
        """The nft table (family ip) with the lab's address translation."""
        return f"amc_{self.lab}"

    @property
    def cgroup(self) -> str:
        """The folder under each cgroup hierarchy that holds all processes of the lab."""
        return f"amc-{self.lab}"

    @property
    def view(self) -> str:
        """What /proc/mounts shows as the source of the lab's lxcfs."""
        return f"amc-{self.lab}-view"

    def machine(self, number: int) -> str:
        """A server's name for systemd-nspawn."""
        return f"{self.lab}-{number}"

    def link(self, number: int) -> str:
        """The host's end of a server's cable: systemd-nspawn names it after the machine."""
        return f"vb-{self.machine(number)}"

    def mount(self, number: int) -> str:
        """What /proc/mounts shows as the source of a server's overlay."""
        return f"amc-{self.machine(number)}"

    def number_of(self, name: str) -> int | None:
        """The server's number in a machine, link or mount name of this lab, None if it is none."""
        match = re.fullmatch(rf"(?:vb-|amc-)?{re.escape(self.lab)}-(\d+)", name)
        return int(match.group(1)) if match else None
