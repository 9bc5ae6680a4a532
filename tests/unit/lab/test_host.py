"""What is taken from the machine the lab runs on."""

from pathlib import Path

import pytest

from lab import host
from lab.errors import MachineLacks

TARGETS = """\
http://mirror.example/debian/|bookworm|main|Packages
http://mirror.example/debian/|bookworm|main|DEP-11
http://mirror.example/debian/|bookworm-updates|main|Packages
http://mirror.example/debian-security/|bookworm-security|main|Packages
https://packages.example/debian/|bookworm|stable|Packages
http://mirror.example/debian/|trixie|main|Packages
"""

DUMP = """\
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3128";
Acquire::Check-Valid-Until "false";
Acquire::Changelogs::URI::Origin::Debian "https://example.org/";
APT::Install-Recommends "0";
DPkg::Pre-Install-Pkgs:: "/usr/sbin/something --of-the-host";
"""


def test_sources_are_the_hosts_own_for_the_suite() -> None:
    """Only Debian's main of this suite: no other suite, no third party."""
    assert host.sources_from(TARGETS) == (
        "deb http://mirror.example/debian bookworm main",
        "deb http://mirror.example/debian-security bookworm-security main",
        "deb http://mirror.example/debian bookworm-updates main",
    )


def test_a_host_without_the_suite_is_told_what_to_add() -> None:
    """No mirror's name stands in the code: a host of another suite adds Debian's sources itself."""
    with pytest.raises(MachineLacks, match="bookworm and bookworm-security") as raised:
        host.sources_from("http://archive.example/ubuntu/|noble|main|Packages")
    assert "sources.list.d" in raised.value.mend


def test_only_settings_about_fetching_are_taken() -> None:
    """Proxy and date checks come along; hooks, preferences and empty parents don't."""
    assert host.acquire_from(DUMP) == (
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::Check-Valid-Until "false";',
    )


def test_proxies_are_found_in_either_case() -> None:
    """Lower case wins, upper case is understood, empty is none."""
    environment = {
        "http_proxy": "http://a:1",
        "HTTP_PROXY": "http://b:1",
        "HTTPS_PROXY": "http://c:1",
        "no_proxy": "",
    }
    assert host.proxies_from(environment) == (("http_proxy", "http://a:1"), ("https_proxy", "http://c:1"))


def test_a_resolver_on_loopback_is_replaced_by_the_real_one(tmp_path: Path) -> None:
    """systemd-resolved's stub answers only on the host: servers get what stands behind it."""
    real = tmp_path / "systemd/resolve"
    real.mkdir(parents=True)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    (real / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    assert host.nameservers(host.resolver(tmp_path, tmp_path)) == ["192.0.2.53"]
    (tmp_path / "resolv.conf").write_text("# comment\nnameserver 192.0.2.1\nsearch example.org\n")
    assert host.nameservers(host.resolver(tmp_path, tmp_path)) == ["192.0.2.1"]
