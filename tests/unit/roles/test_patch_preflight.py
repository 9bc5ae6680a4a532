"""roles/patch/files/preflight.py: pure parts on text that apt and dpkg really printed, and what it opens."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

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


NOTHING: dict[str, Any] = {
    "refused": [],
    "begun": False,
    "check": {"ok": True},
    "pending": [],
    "kept_back": [],
    "failed_units": [],
}
BASH = {"name": "bash", "from": "1", "to": "2"}


@pytest.fixture
def ask(
    preflight: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """`ask(run, pending=…)`: the answer where that is found; settled.py is a stand-in, see `over`."""
    monkeypatch.setattr(preflight, "RUNS", tmp_path)
    monkeypatch.setattr(preflight, "PROGRAMS", tmp_path / "programs")

    def ask(run: str, verb: str = "open", **found: object) -> dict[str, Any]:
        monkeypatch.setattr(preflight, "examine", lambda _asked: {**NOTHING, **found})
        answered: dict[str, Any] = preflight.answer(argparse.Namespace(run=run, verb=verb))
        return answered

    return ask


def over(runs: Path, settled: bool = True) -> Path:
    """The folder of a run by hand that was reported; `settled` is what settled.py says of it."""
    folder = runs / "by-hand"
    folder.mkdir()
    (folder / "preflight.json").write_text(json.dumps({**NOTHING, "pending": [BASH]}))
    for name in ("apt.json", "patch.json"):
        (folder / name).write_text("{}")
    (runs / "programs").mkdir()
    (runs / "programs/settled.py").write_text(f"raise SystemExit({0 if settled else 1})")
    return folder


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    return {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_run_that_has_begun_opens_nothing(ask: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Opened once, and anew while nothing has begun; then its record stays, whatever is found."""
    assert ask("r1", pending=[BASH])["opened"] is True
    assert ask("r1", pending=[BASH])["opened"] is True
    (tmp_path / "r1/apt.json").write_text("{}")
    before = contents(tmp_path / "r1")
    answered = ask("r1", pending=[])
    assert (answered["begun"], answered["opened"], answered["pending"]) == (True, False, [BASH])
    assert contents(tmp_path / "r1") == before


def test_looking_and_refusing_open_nothing(ask: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """No folder is made, and the last run's record by hand stays."""
    assert ask("r1", "look", pending=[BASH])["opened"] is False
    assert ask("r1", refused=["M EMS is down"])["opened"] is False
    assert ask("No Id")["opened"] is False
    assert list(tmp_path.iterdir()) == []
    before = contents(over(tmp_path, settled=False))
    assert ask("by-hand", "look")["opened"] is False
    assert ask("by-hand", refused=["M EMS is down"])["opened"] is False
    assert contents(tmp_path / "by-hand") == before


def test_by_hand_again_with_nothing_to_do_keeps_the_record(
    ask: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """Not a file changes; check mode names what is pending now, not what the record holds."""
    before = contents(over(tmp_path))
    answered = ask("by-hand")
    assert (answered["begun"], answered["opened"], answered["pending"]) == (True, False, [BASH])
    assert contents(tmp_path / "by-hand") == before
    looked = ask("by-hand", "look")
    assert (looked["begun"], looked["opened"], looked["pending"]) == (False, False, [])


@pytest.mark.parametrize(
    "found", [{"pending": [BASH]}, {"failed_units": ["cron.service"]}, {"kept_back": ["nodejs"]}]
)
def test_by_hand_again_with_news_opens_a_new_record(
    ask: Callable[..., dict[str, Any]], tmp_path: Path, found: dict[str, Any]
) -> None:
    """Something pending, a unit that failed since, a package newly kept back: the record is no longer so."""
    folder = over(tmp_path)
    answered = ask("by-hand", **found)
    assert (answered["begun"], answered["opened"]) == (False, True)
    assert [path.name for path in folder.iterdir()] == ["preflight.json"]
    assert json.loads((folder / "preflight.json").read_text()) == {**NOTHING, **found}


def test_by_hand_again_opens_a_new_record_unless_the_last_run_left_nothing_to_do(
    ask: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    """settled.py says no, or isn't there to be asked."""
    over(tmp_path, settled=False)
    assert ask("by-hand")["opened"] is True
    (tmp_path / "programs/settled.py").unlink()
    for name in ("apt.json", "patch.json"):
        (tmp_path / "by-hand" / name).write_text("{}")
    assert ask("by-hand")["opened"] is True


def test_a_unit_that_the_patch_mended_is_no_news(ask: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """Failed before the last run and no longer: its record stays."""
    folder = over(tmp_path)
    (folder / "preflight.json").write_text(json.dumps({**NOTHING, "failed_units": ["cron.service"]}))
    assert ask("by-hand")["opened"] is False
