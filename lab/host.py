"""What servers take over from the machine they run on: apt sources and settings, CAs, proxies, resolver.

Read generically, so that nothing of a particular machine stands in the repository.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import MachineLacks
from lab.waiting import run

SUITE = "bookworm"

ACQUIRE = re.compile(r"Acquire::(http|https|ftp|Check-Valid-Until|Check-Date|Retries|ForceIPv)")
PROXY_VARIABLES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")


@dataclass(frozen=True)
class Host:
    """Settings that a base image takes over. `sources`: lines of sources.list."""

    architecture: str
    mirror: str
    sources: tuple[str, ...]
    acquire: tuple[str, ...]
    certificates: tuple[tuple[str, str], ...]
    proxies: tuple[tuple[str, str], ...]


def sources_from(targets: str) -> tuple[str, ...]:
    """Lines of sources.list, from `apt-get indextargets` lines `uri|release|component|created by`.

    MachineLacks: the host has no source for the suite or for its security updates.
    """
    found: dict[str, str] = {}
    for line in targets.splitlines():
        uri, release, component, created_by = line.split("|")
        wanted = release in (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
        if created_by == "Packages" and component == "main" and wanted and uri.startswith("http"):
            found.setdefault(release, uri.rstrip("/"))
    if lacking := [suite for suite in (SUITE, f"{SUITE}-security") if suite not in found]:
        raise MachineLacks(
            f"apt has no source on this machine for Debian's {' and '.join(lacking)}",
            "add them to /etc/apt/sources.list.d (component main), then apt-get update",
        )
    return tuple(f"deb {uri} {release} main" for release, uri in sorted(found.items()))


def acquire_from(dump: str) -> tuple[str, ...]:
    """The lines of `apt-config dump` that say how to fetch; empty parents are left out."""
    return tuple(
        line for line in dump.splitlines() if ACQUIRE.match(line) and not line.rstrip().endswith('"";')
    )


def proxies_from(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The proxy variables, under their lower-case names."""
    pairs = ((name, environment.get(name) or environment.get(name.upper(), "")) for name in PROXY_VARIABLES)
    return tuple((name, value) for name, value in pairs if value)


def read() -> Host:
    """The settings of this machine."""
    targets = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(CREATED_BY)"],
        "the host's apt sources",
    )
    sources = sources_from(targets)
    mirror = next(line.split(" ")[1] for line in sources if line.split(" ")[2] == SUITE)
    certificates = Path("/usr/local/share/ca-certificates")
    return Host(
        architecture=run(["dpkg", "--print-architecture"], "the host's architecture").strip(),
        mirror=mirror,
        sources=sources,
        acquire=acquire_from(run(["apt-config", "dump"], "the host's apt settings")),
        certificates=tuple((path.name, path.read_text()) for path in sorted(certificates.rglob("*.crt"))),
        proxies=proxies_from(os.environ),
    )


def resolver(etc: Path = Path("/etc"), run_folder: Path = Path("/run")) -> str:
    """A resolv.conf that works from another network namespace.

    A resolver on the host's loopback is out of reach there: systemd-resolved keeps the real ones beside it.
    """
    text = (etc / "resolv.conf").read_text()
    servers = nameservers(text)
    real = run_folder / "systemd/resolve/resolv.conf"
    if servers and all(server.startswith("127.") or server == "::1" for server in servers) and real.is_file():
        return real.read_text()
    return text


def nameservers(resolv_conf: str) -> list[str]:
    """The addresses after `nameserver`."""
    words = (line.split() for line in resolv_conf.splitlines())
    return [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
