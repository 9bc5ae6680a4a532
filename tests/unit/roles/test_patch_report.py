"""The pure parts of packages.py, changelogs.py, restart.py, report.py and settled.py of roles/patch."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]

CHANGELOG = """\
openssl (3.0.17-1~deb12u3) bookworm-security; urgency=medium

  * CVE-2025-9230 (Out-of-bounds read and write in RFC 3211 KEK unwrap)

 -- Somebody <somebody@example.org>  Tue, 30 Sep 2025 10:00:00 +0200

openssl (3.0.17-1~deb12u2) bookworm; urgency=medium

  * Import 3.0.17
    - CVE-2024-13176, CVE-2025-9230

 -- Somebody <somebody@example.org>  Mon, 18 Aug 2025 20:57:14 +0200

openssl (3.0.11-1~deb12u2) bookworm-security; urgency=medium

  * CVE-2023-5363 (Incorrect cipher key and IV length processing).

 -- Somebody <somebody@example.org>  Mon, 23 Oct 2023 19:52:22 +0200
"""


def test_the_difference_of_two_moments(patch_program: Load) -> None:
    """Changed, new and gone packages, by name; unchanged ones not."""
    packages = patch_program("packages")
    before = {name: {"version": "1", "source_version": "1"} for name in ("a", "same", "gone")}
    after = {
        **before,
        "a": {"version": "2", "source_version": "2"},
        "new": {"version": "3", "source_version": "3"},
    }
    del after["gone"]
    assert [tuple(change.values()) for change in packages.difference(before, after)] == [
        ("a", "1", "2"),
        ("gone", "1", None),
        ("new", None, "3"),
    ]


@pytest.mark.parametrize(
    ("since", "cves"),
    [
        ("3.0.17-1~deb12u3", []),
        ("3.0.17-1~deb12u2", ["CVE-2025-9230"]),
        ("3.0.11-1~deb12u2", ["CVE-2024-13176", "CVE-2025-9230"]),
        ("3.0.9-1", ["CVE-2023-5363", "CVE-2024-13176", "CVE-2025-9230"]),
    ],
)
def test_cves_are_those_of_entries_newer_than_the_installed_version(
    patch_program: Load, since: str, cves: list[str]
) -> None:
    """Versions in dpkg's order (~ sorts before nothing); an id named twice counts once."""
    assert patch_program("changelogs").cves_since(CHANGELOG, since) == cves


def test_a_changelog_is_read_from_the_packages_folder_or_the_one_it_links_to(
    patch_program: Load, tmp_path: Path
) -> None:
    """Native packages name it changelog.gz; an upstream changelog of that name counts as none."""
    changelogs = patch_program("changelogs")
    for name in ("openssl", "native", "upstream", "none"):
        (tmp_path / name).mkdir()
    (tmp_path / "openssl/changelog.Debian.gz").write_bytes(gzip.compress(CHANGELOG.encode()))
    (tmp_path / "native/changelog.gz").write_bytes(gzip.compress(CHANGELOG.encode()))
    (tmp_path / "upstream/changelog.gz").write_bytes(gzip.compress(b"Version 3: fixes CVE-2025-0001\n"))
    (tmp_path / "libssl3").symlink_to("openssl")
    read = {
        name: changelogs.read(name, tmp_path)
        for name in ("openssl", "libssl3:i386", "native", "upstream", "none")
    }
    assert read["openssl"] == read["libssl3:i386"] == read["native"] == CHANGELOG
    assert read["upstream"] is None
    assert read["none"] is None


def test_a_package_without_a_changelog_is_listed_never_counted_as_zero(
    patch_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Known since 3.0.11: its ids; without a changelog: in the other list; new: neither."""
    report = patch_program("report")
    (tmp_path / "openssl").mkdir()
    (tmp_path / "openssl/changelog.Debian.gz").write_bytes(gzip.compress(CHANGELOG.encode()))
    read = report.changelogs.read
    monkeypatch.setattr(report.changelogs, "read", lambda package: read(package, tmp_path))
    before = {
        "openssl": {"version": "3.0.11-1~deb12u2", "source_version": "3.0.11-1~deb12u2"},
        "silent": {"version": "1", "source_version": "1"},
    }
    after = {name: {"version": "9", "source_version": "9"} for name in ("openssl", "silent", "new")}
    changes, no_changelog = report._with_cves(report.packages.difference(before, after), before)
    assert {change["name"]: change["cves"] for change in changes} == {
        "new": [],
        "openssl": ["CVE-2024-13176", "CVE-2025-9230"],
        "silent": [],
    }
    assert no_changelog == ["silent"]


def test_restarts_go_nginx_instances_database_others_and_the_bus_last(patch_program: Load) -> None:
    """The role's default order on the units that a real server shows."""
    units = ["dbus.service", "ssh.service", "user@1000.service", "postgresql@15-main.service", "cron.service"]
    units += [
        "systemd-logind.service",
        "mems@8002.service",
        "nginx.service",
        "mems@8001.service",
        "nginx.service",
    ]
    first = ["nginx.service", "mems@*.service", "postgresql@*.service"]
    last = ["dbus.service", "systemd-logind.service", "user@*.service"]
    assert patch_program("restart").ordered(units, first, last) == [
        "nginx.service",
        "mems@8001.service",
        "mems@8002.service",
        "postgresql@15-main.service",
        "cron.service",
        "ssh.service",
        "dbus.service",
        "systemd-logind.service",
        "user@1000.service",
    ]


def test_needrestarts_batch_output_is_read(patch_program: Load) -> None:
    """Services, sessions and the kernel's state; other lines are left alone."""
    text = (
        "NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-13-amd64\nNEEDRESTART-KEXP: 6.1.0-41-amd64\n"
        "NEEDRESTART-KSTA: 3\nNEEDRESTART-SVC: cron.service\nNEEDRESTART-SVC: dbus.service\n"
        "NEEDRESTART-SESS: ops @ session #4\nNEEDRESTART-UCSTA: 0\n"
    )
    assert patch_program("restart").parse_needrestart(text) == {
        "services": ["cron.service", "dbus.service"],
        "sessions": ["ops @ session #4"],
        "kernel": ["3"],
    }


def test_the_same_report_is_not_written_twice(patch_program: Load, tmp_path: Path) -> None:
    """Other timings of the checks are no news; what patch.json holds is what is said."""
    report = patch_program("report")
    path = tmp_path / "patch.json"
    first = {
        "packages": [],
        "check_before": None,
        "check_after": {"ok": True, "timings_ms": {"login": 9.0}, "exit_code": 0},
    }
    second = {**first, "check_after": {"ok": True, "timings_ms": {"login": 7.5}, "exit_code": 0}}
    assert report.keep(path, first) == {"written": True, "report": first}
    written = path.stat().st_mtime_ns, path.read_bytes()
    assert report.keep(path, second) == {"written": False, "report": first}
    assert (path.stat().st_mtime_ns, path.read_bytes()) == written


@pytest.mark.parametrize(
    "news",
    [
        {"packages": [{"name": "bash"}]},
        {"check_before": {"ok": True}},
        {"check_after": {"ok": False, "timings_ms": {}}},
        {"check_after": None},
    ],
)
def test_a_report_with_news_is_written(patch_program: Load, tmp_path: Path, news: dict[str, Any]) -> None:
    """Anything but timings: also what the check answered."""
    report = patch_program("report")
    first = {"packages": [], "check_before": "words", "check_after": {"ok": True, "timings_ms": {}}}
    report.keep(tmp_path / "patch.json", first)
    assert report.keep(tmp_path / "patch.json", {**first, **news})["written"] is True
    assert json.loads((tmp_path / "patch.json").read_text()) == {**first, **news}


@pytest.fixture
def settled(patch_program: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """settled.py with a run in tmp_path that updated bash and restarted all there was to restart."""
    module = patch_program("settled")
    for name in ("apt", "restart"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"attempts": [{"rc": 100}, {"rc": 0}]}))
    (tmp_path / "packages-before.json").write_text(json.dumps({"bash": {"version": "1"}}))
    updated = {"name": "bash", "from": "1", "to": "2", "cves": []}
    (tmp_path / "patch.json").write_text(json.dumps({"packages": [updated]}))
    monkeypatch.setattr(module.packages, "installed", lambda: {"bash": {"version": "2"}})
    monkeypatch.setattr(
        module.restart,
        "on_old_files",
        lambda: {"services": [], "sessions": ["ops @ session #4"], "kernel": []},
    )
    return module


def test_a_run_is_settled_when_the_server_is_as_it_left_it(settled: ModuleType, tmp_path: Path) -> None:
    """A person who is still logged in on old files is no work for a next run."""
    assert settled.why_not(tmp_path) == ""


@pytest.mark.parametrize(
    ("step", "attempt", "words"),
    [("apt", {"rc": 100}, "apt ended with: failed"), ("restart", {"rc": None}, "restart ended with: lost")],
)
def test_a_run_whose_step_did_not_end_well_is_not_settled(
    settled: ModuleType, tmp_path: Path, step: str, attempt: dict[str, Any], words: str
) -> None:
    """Nor one that left no step or no report at all."""
    (tmp_path / f"{step}.json").write_text(json.dumps({"attempts": [attempt]}))
    assert words in settled.why_not(tmp_path)
    assert settled.why_not(tmp_path / "nowhere") == "its step apt ended with: none"


def test_a_run_without_a_report_is_not_settled(settled: ModuleType, tmp_path: Path) -> None:
    """It was cut short after its steps."""
    (tmp_path / "patch.json").unlink()
    assert settled.why_not(tmp_path) == "it left no report"


def test_a_server_that_changed_since_is_not_settled(
    settled: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another package, a service on replaced files, or a needrestart that is gone."""
    monkeypatch.setattr(settled.packages, "installed", lambda: {"bash": {"version": "3"}})
    assert settled.why_not(tmp_path) == "packages have changed since its report"
    monkeypatch.setattr(settled.packages, "installed", lambda: {"bash": {"version": "2"}})
    old = {"services": ["cron.service"], "sessions": ["ops @ user manager service"], "kernel": []}
    monkeypatch.setattr(settled.restart, "on_old_files", lambda: old)
    assert settled.why_not(tmp_path).startswith("on replaced files: cron.service, user@")

    def gone() -> None:
        raise FileNotFoundError("needrestart")

    monkeypatch.setattr(settled.restart, "on_old_files", gone)
    assert settled.why_not(tmp_path) == "what runs on replaced files can't be asked: needrestart"
