"""The pure parts of roles/patch/files/preflight.py, on text that apt and dpkg really printed."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

MIB = 1024 * 1024
SIMULATED = """\
Reading package lists...
Calculating upgrade...
The following packages have been kept back:
  docker-ce nodejs
  python3-held
The following NEW packages will be installed:
  linux-image-6.1.0-41-amd64
The following packages will be upgraded:
  libc6 libc6:i386 linux-image-amd64
3 upgraded, 1 newly installed, 0 to remove and 3 not upgraded.
Inst libc6 [2.36-9+deb12u4] (2.36-9+deb12u13 Debian-Security:12/stable-security [amd64]) [libc6:i386 ]
Inst libc6:i386 [2.36-9+deb12u4] (2.36-9+deb12u13 Debian-Security:12/stable-security [i386])
Inst linux-image-6.1.0-41-amd64 (6.1.158-1 Debian-Security:12/stable-security [amd64])
Inst linux-image-amd64 [6.1.55-1] (6.1.158-1 Debian-Security:12/stable-security [amd64])
Conf libc6 (2.36-9+deb12u13 Debian-Security:12/stable-security [amd64])
"""


@pytest.fixture
def preflight(patch_program: Callable[[str], ModuleType]) -> ModuleType:
    return patch_program("preflight")


def test_a_simulation_gives_upgrades_new_packages_and_what_is_kept_back(preflight: ModuleType) -> None:
    """Each Inst line once, with the old version or none; Conf lines and the summary are not packages."""
    pending, kept_back = preflight.parse_simulation(SIMULATED)
    assert [(p["name"], p["from"], p["to"]) for p in pending] == [
        ("libc6", "2.36-9+deb12u4", "2.36-9+deb12u13"),
        ("libc6:i386", "2.36-9+deb12u4", "2.36-9+deb12u13"),
        ("linux-image-6.1.0-41-amd64", None, "6.1.158-1"),
        ("linux-image-amd64", "6.1.55-1", "6.1.158-1"),
    ]
    assert kept_back == ["docker-ce", "nodejs", "python3-held"]


def test_a_server_up_to_date_has_nothing_pending(preflight: ModuleType) -> None:
    """No Inst line: nothing pending, nothing kept back."""
    text = "Calculating upgrade...\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"
    assert preflight.parse_simulation(text) == ([], [])


def test_sizes_are_bytes(preflight: ModuleType) -> None:
    """apt's Size counts bytes, its Installed-Size KiB; both come out as bytes."""
    shown = (
        "Package: bash\nVersion: 5.2\nInstalled-Size: 7162\nDescription: Package: manager\nSize: 1495260\n\n"
        "Package: virtual\nVersion: 1\nSize: 5\n\n"
    )
    assert preflight.parse_sizes(shown) == {"bash": (1495260, 7162 * 1024), "virtual": (5, 0)}


def test_space_counts_downloads_growth_and_the_largest_package(preflight: ModuleType) -> None:
    """a grows by 10, b shrinks (counts 0), the kernel is new (90 in full, and needs room in /boot)."""
    new = {"a": (1, 60), "b": (2, 20), "linux-image-6.1.0-41-amd64": (4, 90)}
    needs = preflight.space_needs(new, {"a": 50, "b": 30})
    assert needs == {
        "/var/cache/apt/archives": 7,
        "/": 10 + 90 + 90,
        "/var": 0,
        "/boot": preflight.KERNEL_NEED,
    }


def test_no_kernel_needs_no_room_in_boot(preflight: ModuleType) -> None:
    """/boot is small on many servers: it counts only when a kernel comes."""
    assert preflight.space_needs({"bash": (1, 2)}, {})["/boot"] == 0
    assert preflight.space_needs({}, {}) == {"/var/cache/apt/archives": 0, "/": 0, "/var": 0, "/boot": 0}


def test_places_on_one_file_system_add_up(preflight: ModuleType, tmp_path: Path) -> None:
    """Two places that fit one by one but not together are too small; named together, with the mend."""
    a, b = tmp_path / "a", tmp_path / "b"
    a.mkdir()
    b.mkdir()
    system = preflight.os.statvfs(tmp_path)
    free = system.f_bavail * system.f_frsize
    each = free // 2 + 64 * MIB
    assert preflight.too_small({str(a): each, str(b): 0}, 0) == []
    [reason] = preflight.too_small({str(a): each, str(b): each}, 256 * MIB)
    assert f"{a} and {b}" in reason
    assert "a margin of 256 MiB: make room, then run again" in reason


def test_a_place_that_is_not_there_is_no_obstacle(preflight: ModuleType, tmp_path: Path) -> None:
    """A server without /boot is measured without it."""
    assert preflight.too_small({str(tmp_path / "boot"): 1 << 60}, 0) == []
