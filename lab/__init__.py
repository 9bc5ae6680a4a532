"""Real servers on one machine: systemd-nspawn machines with systemd, sshd, sudo and apt. See docs/lab.md."""

from lab.errors import LabError, MachineLacks
from lab.lab import Lab, Server
from lab.leftovers import leftovers
from lab.sizes import Size

__all__ = ["Lab", "LabError", "MachineLacks", "Server", "Size", "leftovers"]
