"""Say whether this server may be patched now, and what would be updated. Prints one JSON document.

    preflight.py look|open --run RUN --check-command COMMAND --margin-mib N [--refused WORDS]
                 [--overrides JSON]

`look` only reads; `open` also makes the run's folder when nothing speaks against the patch. Ansible hands
this file to the server's Python on standard input, for check mode on a server that has nothing of ours yet.
By hand, the folder of the last run is thrown away for a new one once that run is over, but not when there is
nothing to do and its record still tells how the server is: a run that does nothing leaves nothing new.
The package lists are refreshed in a copy: the server's own stay as they are.
--refused is what was found elsewhere to speak against the patch, said together with what is found here;
--overrides, a list of {what, reason}, is kept with the rest for the report.

The document: `refused` (reasons in words, empty when the patch may go), `begun` (this run's apt step started
before, or the last run by hand stands: the rest is what was found then), `opened` (the run's folder was made
or made anew, now), `check` (what M EMS's own check printed), `pending` ({name, from, to}; from is null for a
new package), `kept_back` (held, or in need of a removal), `failed_units`, `overrides`.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNS = Path("/var/lib/amc/runs")
PROGRAMS = Path("/usr/local/lib/amc/patch")  # there once a run has begun
BY_HAND = "by-hand"  # the one run id that is used again: its last run is over once it has reported
STEP = Path("/usr/local/lib/amc/step.py")
ARCHIVES = "/var/cache/apt/archives"
MIB = 1024 * 1024
LISTS_NEED = 192 * MIB  # a copy of the package lists and their refresh
KERNEL_NEED = 128 * MIB  # one more kernel and its initramfs in /boot
CHECK_SECONDS = 120
PATIENCE_SECONDS = 10  # a server that has just started needs a moment to answer
APT_SECONDS = 300

Sizes = dict[str, tuple[int, int]]  # package -> (bytes to download, bytes installed)


def parse_simulation(text: str) -> tuple[list[dict[str, str | None]], list[str]]:
    """`apt-get -s upgrade` -> what it would install, and what it keeps back."""
    pending = [
        {"name": m[1], "from": m[2], "to": m[3]}
        for m in re.finditer(r"^Inst (\S+) (?:\[(\S+)\] )?\((\S+)", text, re.M)
    ]
    kept = re.search(r"have been kept back:\n((?:  .*\n)+)", text)
    return pending, kept[1].split() if kept else []


def parse_sizes(text: str) -> Sizes:
    """The records of `apt-cache show`; its Installed-Size counts KiB."""
    sizes = {}
    for record in text.split("\n\n"):
        field = dict(re.findall(r"^(Package|Size|Installed-Size): (\S+)$", record, re.M))
        if "Package" in field:
            sizes[field["Package"]] = (int(field.get("Size", 0)), int(field.get("Installed-Size", 0)) * 1024)
    return sizes


def space_needs(new: Sizes, old_installed: dict[str, int]) -> dict[str, int]:
    """Bytes that each place must have free, margins not counted.

    dpkg unpacks a package beside its old files before it removes them: the largest one comes on top.
    """
    growth = sum(max(0, installed - old_installed.get(name, 0)) for name, (_, installed) in new.items())
    largest = max((installed for _, installed in new.values()), default=0)
    kernel = any(name.startswith("linux-image-") for name in new)
    return {
        ARCHIVES: sum(download for download, _ in new.values()),
        "/": growth + largest,
        "/var": 0,
        "/boot": KERNEL_NEED if kernel else 0,
    }


def too_small(needs: dict[str, int], margin: int) -> list[str]:
    """A reason in words for each file system that lacks room; places on the same one add up."""
    systems: dict[int, list[str]] = {}
    for place in needs:
        if Path(place).is_dir():
            systems.setdefault(Path(place).stat().st_dev, []).append(place)
    reasons = []
    for places in systems.values():
        need = sum(needs[place] for place in places)
        room = 0 if places == ["/boot"] else margin
        system = os.statvfs(places[0])
        free = system.f_bavail * system.f_frsize
        if free < need + room:
            reasons.append(
                f"the file system of {' and '.join(places)} has {free // MIB} MiB free, the patch needs "
                f"{-(-need // MIB)} MiB and a margin of {room // MIB} MiB: make room, then run again"
            )
    return reasons


def _run(*command: str, seconds: int = APT_SECONDS) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    silent = subprocess.DEVNULL
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=seconds, check=False, stdin=silent
    )


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return " / ".join(lines[-3:]) or "it printed nothing"


def _ask_mems(command: str) -> tuple[object, list[str]]:
    """What M EMS's own check printed, and the reasons not to go on."""
    if not os.access(command, os.X_OK):
        return None, [f"M EMS's check {command} is not there: deploy M EMS to this server first"]
    until = time.monotonic() + PATIENCE_SECONDS
    try:
        while (done := _run(command, seconds=CHECK_SECONDS)).returncode != 0 and time.monotonic() < until:
            time.sleep(1)
    except subprocess.TimeoutExpired:
        return None, [f"M EMS is not healthy: {command} gave no answer within {CHECK_SECONDS} s"]
    try:
        printed: object = json.loads(done.stdout)
    except ValueError:
        printed = done.stdout.strip()
    if done.returncode != 0:
        words = f"{command} ended with {done.returncode}: {_last_words(done)}"
        return printed, [f"M EMS is not healthy before the patch: {words}"]
    return printed, []


def _busy_units(run_id: str) -> list[str]:
    at_work = "--state=running,start,start-pre,stop"
    listed = _run("systemctl", "list-units", "--plain", "--no-legend", at_work, "amc-*.service")
    units = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
    # A run's steps are transient units; one that has a file of its own (an exporter) belongs here, except the
    # undo of a hardening that nobody confirmed.
    units = [unit for unit in units if unit.startswith("amc-harden-") or _is_transient(unit)]
    return [
        f"another run is at work on this server: the unit {unit} is active; wait for it, then run again"
        for unit in units
        if not unit.startswith(f"amc-{run_id}-")
    ]


def _is_transient(unit: str) -> bool:
    return _run("systemctl", "show", "--property=Transient", "--value", unit).stdout.strip() == "yes"


def _failed_units() -> list[str]:
    listed = _run("systemctl", "--failed", "--plain", "--no-legend")
    return [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]


def _look_at_updates(margin: int) -> tuple[list[dict[str, str | None]], list[str], list[str]]:
    """(pending, kept back, reasons not to go on), from freshly fetched package lists."""
    scratch = Path(tempfile.mkdtemp(prefix="amc-lists-", dir="/var/tmp"))
    try:
        scratch.chmod(0o755)  # apt fetches as a user of its own
        lists = scratch / "lists"
        _run("cp", "-a", "--reflink=auto", "/var/lib/apt/lists", str(lists))
        fresh = [f"-oDir::State::Lists={lists}", "-oDir::Cache::pkgcache=", "-oDir::Cache::srcpkgcache="]
        update = _run("apt-get", *fresh, "-q", "update", "--error-on=any")
        if update.returncode != 0:
            return [], [], [f"the package lists can't be refreshed: {_last_words(update)}"]
        # --fix-broken: packages that an earlier run left half-way are no obstacle when apt knows a way out
        simulated = _run("apt-get", *fresh, "-s", "--no-remove", "--fix-broken", "upgrade", "--with-new-pkgs")
        if simulated.returncode != 0:
            return [], [], [f"apt finds no way to apply the updates: {_last_words(simulated)}"]
        pending, kept_back = parse_simulation(simulated.stdout)
        wanted = [f"{package['name']}={package['to']}" for package in pending]
        new = parse_sizes(_run("apt-cache", *fresh, "show", *wanted).stdout) if wanted else {}
        sizes = [
            line.split()
            for line in _run("dpkg-query", "-W", "-f", "${Package} ${Installed-Size}\n").stdout.splitlines()
        ]
        old = {words[0]: int(words[1]) * 1024 for words in sizes if len(words) == 2}
        return pending, kept_back, too_small(space_needs(new, old), margin)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _open_folder(folder: Path, run_id: str, result: dict[str, Any]) -> None:
    """Make the run's folder on the server and keep there what was found before the first change."""
    if run_id == BY_HAND:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder / "preflight.json.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps(result, indent=1))
    part.replace(folder / "preflight.json")


def _recorded(folder: Path) -> dict[str, Any]:
    """What was found before the run's first change."""
    found: dict[str, Any] = json.loads((folder / "preflight.json").read_text())
    return found


def _stands(folder: Path, found: dict[str, Any]) -> bool:
    """Whether the record of a run that is over still tells how the server is, and nothing is to be done."""
    if found["pending"] or not (folder / "preflight.json").exists():
        return False
    recorded = _recorded(folder)
    # A unit that failed since was not this run's, and a package newly kept back is missing in its report.
    if any(set(found[key]) - set(recorded[key]) for key in ("failed_units", "kept_back")):
        return False
    settled = _run(sys.executable, "-B", str(PROGRAMS / "settled.py"), "--run", folder.name)
    return settled.returncode == 0  # Python's own code when the program is not there: then nobody knows


def examine(asked: argparse.Namespace) -> dict[str, Any]:
    """Look at everything, so that all reasons are said at once."""
    margin = asked.margin_mib * MIB
    check, reasons = _ask_mems(asked.check_command)
    if not STEP.exists():
        reasons.append(f"{STEP} is not there: deploy M EMS with this version of the roles first")
    reasons += _busy_units(asked.run)
    small = too_small({"/": 0, "/var": 0, "/var/tmp": LISTS_NEED}, margin)
    pending, kept_back, more = ([], [], small) if small else _look_at_updates(margin)
    return {
        "refused": [*filter(None, [asked.refused]), *reasons, *more],
        "begun": False,
        "check": check,
        "pending": pending,
        "kept_back": kept_back,
        "failed_units": _failed_units(),
        "overrides": asked.overrides,
    }


def answer(asked: argparse.Namespace) -> dict[str, Any]:
    """The document, see the module; the run has its folder then, unless this only looks or refuses."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", asked.run):
        refusal = f"{asked.run!r} is no run id: it is named by a-z, 0-9 and - only"
        return {"refused": [refusal], "opened": False, "pending": []}
    folder = RUNS / asked.run
    over = asked.run == BY_HAND and (folder / "patch.json").exists()
    if (folder / "apt.json").exists() and not over:
        return {**_recorded(folder), "begun": True, "opened": False}
    found = examine(asked)
    if asked.verb == "look" or found["refused"]:
        return {**found, "opened": False}
    if over and _stands(folder, found):
        return {**_recorded(folder), "begun": True, "opened": False}
    _open_folder(folder, asked.run, found)
    return {**found, "opened": True}


def main() -> int:
    """Exit code 0 whatever was found: `refused` says it."""
    words = argparse.ArgumentParser()
    words.add_argument("verb", choices=["look", "open"])
    words.add_argument("--run", required=True)
    words.add_argument("--check-command", required=True)
    words.add_argument("--margin-mib", type=int, required=True)
    words.add_argument("--refused", default="")
    words.add_argument("--overrides", type=json.loads, default=[])
    print(json.dumps(answer(words.parse_args())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
