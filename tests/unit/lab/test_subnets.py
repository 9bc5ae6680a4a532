"""Where a lab's network may lie."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError
from lab.subnets import FIRST_SERVER, LAST_SERVER, POOLS, choose, free_number, gateway

NETWORKS = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.integers(min_value=0, max_value=2**32 - 1),
    st.integers(min_value=8, max_value=32),
)


@given(st.lists(NETWORKS, max_size=8), st.integers(min_value=0, max_value=0xFFFFF))
def test_chosen_network_overlaps_nothing(taken: list[IPv4Network], lab: int) -> None:
    """Whatever the machine reaches already, the choice is a /24 of a pool beside it."""
    if any(network.prefixlen < 10 for network in taken):
        return
    chosen = choose(f"l{lab:05x}", taken)
    assert chosen.prefixlen == 24
    assert any(chosen.subnet_of(pool) for pool in POOLS)
    assert not any(chosen.overlaps(network) for network in taken)


def test_a_lab_stays_where_it_is_while_it_can() -> None:
    """The remembered network is kept when free, and left when something else took it."""
    wanted = IPv4Network("10.81.7.0/24")
    assert choose("l00001", [], wanted) == wanted
    assert not choose("l00001", [IPv4Network("10.81.7.128/25")], wanted).overlaps(wanted)


def test_a_vpn_over_all_of_ten_moves_the_lab_elsewhere() -> None:
    """A route to 10.0.0.0/8 empties the first pool, not the lab."""
    assert choose("l00001", [IPv4Network("10.0.0.0/8")]).subnet_of(POOLS[1])


def test_no_room_is_said_in_words() -> None:
    """With everything routed there is no network; the error names the pools."""
    with pytest.raises(LabError, match="no free network"):
        choose("l00001", [IPv4Network("0.0.0.0/0")])


def test_different_labs_start_their_search_apart() -> None:
    """Two ids rarely meet: these do not."""
    assert choose("l00001", []) != choose("l00002", [])


def test_numbers_are_the_lowest_free_and_never_the_gateway() -> None:
    """A freed number is used again; a full lab refuses."""
    assert free_number([]) == FIRST_SERVER
    assert free_number([10, 11, 13]) == 12
    network = IPv4Network("10.81.7.0/24")
    assert gateway(network) not in {network[number] for number in range(FIRST_SERVER, LAST_SERVER + 1)}
    with pytest.raises(LabError, match="full"):
        free_number(range(FIRST_SERVER, LAST_SERVER + 1))
