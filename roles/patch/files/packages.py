"""The packages of this server, and the difference between two moments."""

import subprocess

Installed = dict[
    str, dict[str, str]
]  # name (with :architecture when foreign) -> {"version", "source_version"}


def installed() -> Installed:
    """What dpkg has unpacked, whatever state it is in; not what left only its configuration."""
    native = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    fields = "${Package}\t${Architecture}\t${db:Status-Status}\t${Version}\t${source:Version}\n"
    listed = subprocess.check_output(["dpkg-query", "-W", "-f", fields], text=True)
    packages = {}
    for line in listed.splitlines():
        name, architecture, status, version, source_version = line.split("\t")
        if status in {"not-installed", "config-files"}:
            continue
        label = name if architecture in {native, "all"} else f"{name}:{architecture}"
        packages[label] = {"version": version, "source_version": source_version}
    return packages


def difference(before: Installed, after: Installed) -> list[dict[str, str | None]]:
    """[{name, from, to}] by name; `from` is None for a new package, `to` for one that is gone."""
    changes = []
    for name in sorted(before.keys() | after.keys()):
        old = before.get(name, {}).get("version")
        new = after.get(name, {}).get("version")
        if old != new:
            changes.append({"name": name, "from": old, "to": new})
    return changes
