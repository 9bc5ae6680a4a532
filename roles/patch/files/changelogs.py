"""CVE ids that Debian changelogs name: a lower bound, since only what the maintainer wrote is there."""

import gzip
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

DOC = Path("/usr/share/doc")
# An entry's first line: "openssl (3.0.17-1~deb12u2) bookworm-security; urgency=high"
ENTRY = re.compile(r"^\S+ \(([^)\s]+)\) [^\n]*;[^\n]*$", re.M)


def is_newer(version: str, than: str) -> bool:
    """By dpkg's own order of versions."""
    return subprocess.run(["dpkg", "--compare-versions", version, "gt", than], check=False).returncode == 0


def cves_since(changelog: str, version: str, newer: Callable[[str, str], bool] = is_newer) -> list[str]:
    """The ids in the entries newer than `version` (a source version), sorted. Newest entries stand first."""
    heads = list(ENTRY.finditer(changelog))
    found: set[str] = set()
    for number, head in enumerate(heads):
        if not newer(head[1], version):
            break
        end = heads[number + 1].start() if number + 1 < len(heads) else len(changelog)
        found.update(re.findall(r"CVE-\d{4}-\d{4,}", changelog[head.end() : end]))
    return sorted(found)


def read(package: str, doc: Path = DOC) -> str | None:
    """The installed package's Debian changelog, or None. `package` may name its architecture (libc6:i386)."""
    for name in ("changelog.Debian.gz", "changelog.gz", "changelog.Debian"):
        path = doc / package.partition(":")[0] / name
        if not path.is_file():
            continue
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode(errors="replace")
        if ENTRY.match(text):  # an upstream changelog of the same name is not one of Debian's
            return text
    return None
