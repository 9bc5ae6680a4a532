"""What a recovery would meet on this server. Ansible hands it to Python on standard input.

    look.py --run RUN [--need-database BYTES] [--need-files BYTES] [--margin BYTES] [--begin]

Prints {"empty": M EMS is not installed, or was not when this run began, "deploy": it has to be, "finished":
this run was done before,
"refused": reasons in words, "set_aside": [{"run", "bytes", "places"}] of earlier recoveries, "begun"}.
With --begin, unless something is refused, it notes that the run has begun; `begun` says whether it did.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

DATA = Path("/var/lib/postgresql/15/main")
FILES = Path("/srv/mems/files")
PROFILE = Path("/etc/mems/profile.json")
RUNS = Path("/var/lib/amc/runs")
SET_ASIDE = Path("/var/lib/amc/set-aside")
MIB = 1024 * 1024


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    while not path.exists():
        path = path.parent
    return path


def too_small(needs: dict[Path, int], margin: int) -> list[str]:
    """A reason in words for each file system that lacks room; places on the same one add up."""
    systems: dict[int, list[Path]] = {}
    for place in needs:
        systems.setdefault(existing(place).stat().st_dev, []).append(place)
    reasons = []
    for places in systems.values():
        need = sum(needs[place] for place in places)
        system = os.statvfs(existing(places[0]))
        free = system.f_bavail * system.f_frsize
        if need and free < need + margin:
            names = " and ".join(map(str, places))
            reasons.append(
                f"the file system of {names} has {free // MIB} MiB free; beside what is there now the "
                f"recovery needs {-(-need // MIB)} MiB and a margin of {margin // MIB} MiB"
            )
    return reasons


def aside() -> list[dict[str, object]]:
    """What earlier recoveries set aside, with its size."""
    found = []
    for note in sorted(SET_ASIDE.glob("*/set-aside.json")):
        places = [item["to"] for item in json.loads(note.read_text())["items"] if Path(item["to"]).exists()]
        if places:
            shown = subprocess.run(
                ["du", "-sbc", *places], capture_output=True, text=True, check=False, timeout=600
            )
            total = shown.stdout.splitlines()[-1].split()[0] if shown.stdout else "0"
            found.append({"run": note.parent.name, "bytes": int(total), "places": places})
    return found


def main() -> int:
    """Print what was found; exit 0 whatever it is."""
    words = argparse.ArgumentParser()
    words.add_argument("--run", required=True)
    words.add_argument("--need-database", type=int, default=0)
    words.add_argument("--need-files", type=int, default=0)
    words.add_argument("--margin", type=int, default=256 * MIB)
    words.add_argument("--begin", action="store_true")
    asked = words.parse_args()
    folder = RUNS / asked.run
    refused = []
    # What this run has copied already needs no room again.
    there = any((place.parent / f"amc-incoming-{asked.run}").exists() for place in (DATA, FILES))
    if not there and not (folder / "recover-phases.json").exists():
        refused = too_small({DATA: asked.need_database, FILES: asked.need_files}, asked.margin)
    refused += [
        f"{place} is a file system of its own: it can't be renamed to set it aside"
        for place in (DATA, FILES)
        if place.is_mount()
    ]
    earlier = aside()
    if refused and earlier:
        refused.append(
            "earlier recoveries set this aside: "
            + ", ".join(f"{each['run']} ({each['bytes'] // MIB} MiB)" for each in earlier)  # type: ignore[operator]
            + f"; what is not needed any more can be removed from {SET_ASIDE}"
        )
    note = folder / "recover-begun.json"
    begun = json.loads(note.read_text()) if note.exists() else None
    now = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "empty": not PROFILE.exists()}
    begins = asked.begin and begun is None and not refused
    if begins:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.write_text(json.dumps(now))
    empty = (begun or now)["empty"]
    found = {"empty": empty, "finished": finished(folder), "begun": begins}
    found["deploy"] = empty and not (folder / "recover-halt.json").exists()
    print(json.dumps({**found, "refused": refused, "set_aside": earlier}))
    return 0


def finished(folder: Path) -> bool:
    """Whether the run's report says that nothing is left to do."""
    report = folder / "recover.json"
    return report.exists() and bool(json.loads(report.read_text()).get("finished"))


if __name__ == "__main__":
    sys.exit(main())
