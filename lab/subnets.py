"""Which network a lab may take without clashing with what the machine already reaches. Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from lab.errors import LabError

POOLS = (
    IPv4Network("10.80.0.0/12"),
    IPv4Network("172.20.0.0/14"),
    IPv4Network("192.168.128.0/17"),
    IPv4Network("198.18.0.0/15"),
)
"""Corners of private space that few use, and the benchmarking range: a VPN may route all of 10/8."""

FIRST_SERVER, LAST_SERVER = 10, 250


def choose(lab: str, taken: Iterable[IPv4Network], wanted: IPv4Network | None = None) -> IPv4Network:
    """A /24 that overlaps none of `taken`; `wanted` if it is free.

    The search starts at a place given by the lab's id, so that two labs rarely meet.
    """
    occupied = list(taken)

    def free(network: IPv4Network) -> bool:
        return not any(network.overlaps(other) for other in occupied)

    if wanted is not None and free(wanted):
        return wanted
    for pool in POOLS:
        count = 1 << (24 - pool.prefixlen)
        start = int(lab.lstrip("l"), 16) % count
        for step in range(count):
            network = IPv4Network((int(pool.network_address) + ((start + step) % count) * 256, 24))
            if free(network):
                return network
    raise LabError(
        f"no free network for the lab in {', '.join(map(str, POOLS))}",
        "remove routes that cover all of them (`ip route show table all`)",
    )


def gateway(network: IPv4Network) -> IPv4Address:
    """The bridge's own address."""
    return network[1]


def free_number(used: Iterable[int]) -> int:
    """The lowest server number that is not used."""
    taken = set(used)
    for number in range(FIRST_SERVER, LAST_SERVER + 1):
        if number not in taken:
            return number
    raise LabError(f"the lab is full: {LAST_SERVER - FIRST_SERVER + 1} servers", "destroy some of them")
