"""A lab's bridge, its address translation, and the machine's forwarding."""

import json
import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from lab import host, subnets
from lab.locks import network_lock
from lab.names import Names
from lab.waiting import run

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
FORWARDING_IS_OURS = Path("/run/amc-lab-forwarding")
"""Exists while forwarding is on because a lab turned it on; the last lab's `down` turns it off."""

_BRIDGE = re.compile(r"br-l[0-9a-f]{5}")


def ensure(names: Names, wanted: IPv4Network | None) -> IPv4Network:
    """The lab's network, with bridge and translation in place; `wanted` is kept when nothing else uses it."""
    with network_lock():
        own = _own_network(names)
        network = own or subnets.choose(names.lab, taken(), wanted)
        if own is None:
            remove_link(names.bridge)
            run(["ip", "link", "add", names.bridge, "type", "bridge"], "making the lab's bridge")
            address = f"{subnets.gateway(network)}/{network.prefixlen}"
            run(["ip", "address", "add", address, "dev", names.bridge], "the bridge's address")
        run(["ip", "link", "set", names.bridge, "up"], "starting the lab's bridge")
        run(["nft", "-f", "-"], "the lab's address translation", text_in=ruleset(names, network))
        if FORWARDING.read_text().strip() == "0":
            FORWARDING_IS_OURS.touch()
            FORWARDING.write_text("1")
    return network


def ruleset(names: Names, network: IPv4Network) -> str:
    """One table per lab, replaced as a whole: what leaves the lab leaves under the host's address."""
    return f"""\
table ip {names.table} {{}}
delete table ip {names.table}
table ip {names.table} {{
    chain outward {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {network} oifname != "{names.bridge}" masquerade
    }}
}}
"""


def remove(names: Names) -> None:
    """Take away all links and the table of the lab; the last lab restores the machine's forwarding."""
    with network_lock():
        for link in links(names):
            remove_link(link)
        if has_table(names):
            run(["nft", "delete", "table", "ip", names.table], "removing the lab's address translation")
        if FORWARDING_IS_OURS.exists() and not any(map(_BRIDGE.fullmatch, _bridges())):
            FORWARDING.write_text("0")
            FORWARDING_IS_OURS.unlink()


def links(names: Names) -> list[str]:
    """The lab's links that exist: its bridge and the host's ends of its servers' cables."""
    present = (path.name for path in Path("/sys/class/net").iterdir())
    return sorted(name for name in present if name == names.bridge or names.number_of(name) is not None)


def remove_link(link: str) -> None:
    """Delete a link if it exists; its other end may be taking it along at this moment."""
    if Path("/sys/class/net", link).exists():
        run(
            ["sh", "-c", 'ip link delete "$0" || [ ! -e "/sys/class/net/$0" ]', link], f"removing link {link}"
        )


def has_table(names: Names) -> bool:
    """Whether the lab's nft table exists."""
    listed = json.loads(run(["nft", "-j", "list", "tables"], "listing nft tables"))
    return any(entry.get("table", {}).get("name") == names.table for entry in listed["nftables"])


def taken() -> list[IPv4Network]:
    """Networks that this machine has routes to, its addresses, and its nameservers, wherever they are."""
    routes = json.loads(run(["ip", "-4", "-j", "route", "show", "table", "all"], "listing routes") or "[]")
    found = [IPv4Network(route["dst"]) for route in routes if route.get("dst", "default") != "default"]
    for server in host.nameservers(host.resolver()):
        if ":" not in server:
            found.append(IPv4Network(IPv4Address(server)))
    return found


def _bridges() -> list[str]:
    return [path.parent.name for path in Path("/sys/class/net").glob("*/bridge")]


def _own_network(names: Names) -> IPv4Network | None:
    """The network of the bridge that stands, None when it has none or doesn't stand."""
    if names.bridge not in links(names):
        return None
    shown = json.loads(
        run(["ip", "-4", "-j", "address", "show", "dev", names.bridge], "the bridge's address")
    )
    for link in shown:
        for address in link.get("addr_info", []):
            return IPv4Network(f"{address['local']}/{address['prefixlen']}", strict=False)
    return None
