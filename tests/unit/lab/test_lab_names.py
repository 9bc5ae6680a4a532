"""A lab's names come from its folder alone, and fit where the kernel is narrow."""

from pathlib import Path

from lab.names import INTERFACE_NAME_LIMIT, Names
from lab.subnets import LAST_SERVER


def test_names_follow_from_the_folder(tmp_path: Path) -> None:
    """The same folder gives the same names, also by another way to it; another folder gives others."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "way").symlink_to(tmp_path / "lab")
    assert Names.of(tmp_path / "lab") == Names.of(tmp_path / "way")
    assert Names.of(tmp_path / "lab") != Names.of(tmp_path / "other")


def test_interface_names_fit_the_kernel(tmp_path: Path) -> None:
    """Bridge and cable of the highest server number stay within 15 characters."""
    names = Names.of(tmp_path)
    assert len(names.bridge) <= INTERFACE_NAME_LIMIT
    assert len(names.link(LAST_SERVER)) <= INTERFACE_NAME_LIMIT


def test_numbers_are_found_in_names_of_this_lab_only() -> None:
    """Leftovers are recognised by machine, link and mount name; another lab's, and strangers, never are."""
    names = Names("l0a1b2")
    assert [names.number_of(name) for name in (names.machine(10), names.link(11), names.mount(250))] == [
        10,
        11,
        250,
    ]
    strangers = ("l0a1b3-10", "vb-l0a1b-10", "eth0", "amc-l0a1b2", "xvb-l0a1b2-10", "l0a1b2-10x")
    assert [names.number_of(name) for name in strangers] == [None] * len(strangers)
