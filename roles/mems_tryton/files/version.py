#!/usr/bin/python3
"""Which Tryton runs here and what its package index offers, as one JSON document on stdout.

application  "tryton"
series       "7.0"
level        version of the server package; `packages` has those of all its modules
available    {package: newest version of this series}, only those that differ; null when the index can't tell
next_series  the newest later series that the index offers; null when there is none or it can't tell
words        why something is null, "" otherwise
"""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

PROFILE = Path("/etc/mems/profile.json")
INDEX_SECONDS = 120


def installed(current: Path) -> dict[str, str]:
    """Tryton's packages in the release that runs."""
    (folder,) = current.glob("lib/python3.*/site-packages")
    found = importlib.metadata.distributions(path=[str(folder)])
    packages = {each.metadata["Name"].lower().replace("_", "-"): each.version for each in found}
    return {name: version for name, version in sorted(packages.items()) if name.startswith("trytond")}


def newest(python: Path, packages: dict[str, str], series: str) -> dict[str, str]:
    """What pip would install now of the same series; OSError when it finds no index."""
    wanted = [f"{name}~={series}.0" for name in packages]
    flags = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary=:all:", "--quiet", "--report=-"]
    printed = _pip(python, "install", *flags, *wanted)
    items = json.loads(printed)["install"]
    return {item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"] for item in items}


def next_series(python: Path, series: str) -> str | None:
    """The newest series after this one, by `pip index versions`."""
    versions = re.findall(r"(\d+)\.(\d+)\.\d+", _pip(python, "index", "versions", "trytond"))
    later = {(int(a), int(b)) for a, b in versions if (int(a), int(b)) > tuple(map(int, series.split(".")))}
    return ".".join(map(str, max(later))) if later else None


def _pip(python: Path, *words: str) -> str:
    done = subprocess.run(
        [str(python), "-m", "pip", "--disable-pip-version-check", *words],
        capture_output=True,
        text=True,
        timeout=INDEX_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise OSError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip failed")
    return done.stdout


def main() -> int:
    """Print the document."""
    current = Path(json.loads(PROFILE.read_text())["current"])
    packages = installed(current)
    series = ".".join(packages["trytond"].split(".")[:2])
    report = {
        "application": "tryton",
        "series": series,
        "level": packages["trytond"],
        "packages": packages,
        "available": None,
        "next_series": None,
        "words": "",
    }
    try:
        offered = newest(current / "bin/python", packages, series)
        report["available"] = {
            name: version for name, version in offered.items() if version != packages[name]
        }
        report["next_series"] = next_series(current / "bin/python", series)
    except (OSError, subprocess.TimeoutExpired) as error:
        report["words"] = f"the package index can't tell: {error}"
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
