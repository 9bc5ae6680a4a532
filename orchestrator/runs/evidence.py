"""A run's evidence folder, kept for good: what was ordered, each attempt, the servers' reports, their hashes.

<run>/order.json              what was ordered, under which contract
<run>/plan/                   of a run that was planned: what was approved, see sizing/change.py
<run>/attempt-1/claim.json    written once, before the launch: who launches, on which host and boot
<run>/attempt-1/process.json  the process that executes it, written by itself
<run>/attempt-1/inputs.json   commit and hashes of the playbook and the customer's folder
<run>/attempt-1/effort.json   its heartbeats, as intervals
<run>/attempt-1/events.jsonl  one line per task and host: name, status, seconds
<run>/attempt-1/log.txt       what Ansible printed
<run>/attempt-1/result.json   how it ended
<run>/reports/<server>/<activity>.json   fetched from the servers
<run>/manifest.json           SHA-256 of every file above
"""

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.runs.effort import Interval


@dataclass(frozen=True)
class Attempt:
    """One launch of the playbook; `number` counts from 1."""

    folder: Path
    number: int

    @property
    def claim(self) -> Path:
        """Who launches it; made once, before the launch."""
        return self.folder / "claim.json"

    @property
    def process(self) -> Path:
        """Which process executes it, by its own word."""
        return self.folder / "process.json"

    @property
    def effort(self) -> Path:
        """Its heartbeats."""
        return self.folder / "effort.json"

    @property
    def result(self) -> Path:
        """How it ended."""
        return self.folder / "result.json"

    @property
    def log(self) -> Path:
        """What Ansible printed."""
        return self.folder / "log.txt"

    @property
    def runner(self) -> Path:
        """ansible-runner's own files: they hold the environment and whole results, so they never stay."""
        return self.folder / "runner"

    def intervals(self) -> list[Interval]:
        """Its heartbeats."""
        return [(_time(start), _time(end)) for start, end in (read_json(self.effort) or [])]


@dataclass(frozen=True)
class Evidence:
    """The folder of one run."""

    folder: Path

    @property
    def order(self) -> Path:
        """What was ordered."""
        return self.folder / "order.json"

    @property
    def plan(self) -> Path:
        """What was planned before anything was held; only a run that needs an approval has it."""
        return self.folder / "plan"

    @property
    def reports(self) -> Path:
        """What the servers report, a folder each."""
        return self.folder / "reports"

    @property
    def manifest(self) -> Path:
        """The hashes of all files, made at the end."""
        return self.folder / "manifest.json"

    def attempt(self, number: int) -> Attempt:
        """Attempt `number`, made or not."""
        return Attempt(self.folder / f"attempt-{number}", number)

    def attempts(self) -> list[Attempt]:
        """Those that were claimed, oldest first."""
        numbers = sorted(
            int(path.parent.name.rpartition("-")[2]) for path in self.folder.glob("*/claim.json")
        )
        return [self.attempt(number) for number in numbers]

    def server_reports(self) -> dict[str, dict[str, Any]]:
        """Server -> activity -> its report. A report that is no JSON object raises ValueError."""
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.reports.glob("*/*.json")):
            report = json.loads(path.read_text())
            if not isinstance(report, dict):
                raise ValueError(f"{path} is no JSON object")
            found.setdefault(path.parent.name, {})[path.stem] = report
        return found

    def unit_intervals(self) -> list[Interval]:
        """When the servers' own units (`amc-<run>-<step>`) ran, from the reports.

        A report's `unit` has `started` and `ended`, and in `attempts` those of each time it was started.
        ValueError when one of them makes no sense.
        """
        try:
            return self._unit_intervals()
        except (AttributeError, TypeError) as error:  # servers write them: anything may stand there
            raise ValueError(f"a unit's times: {error}") from error

    def _unit_intervals(self) -> list[Interval]:
        units = [
            report["unit"]
            for reports in self.server_reports().values()
            for report in reports.values()
            if isinstance(report.get("unit"), dict)
        ]
        return [
            (_time(ran["started"]), _time(ran["ended"]))
            for unit in units
            for ran in [unit, *(unit.get("attempts") or [])]
            if ran.get("started") and ran.get("ended")
        ]

    def seal(self) -> str:
        """Write the manifest; returns its SHA-256."""
        hashes = {name: sha256(path) for name, path in self._files().items()}
        write_json(self.manifest, {"sha256": hashes})
        return sha256(self.manifest)

    def altered(self) -> list[str]:
        """Files that are not as the manifest says: changed, gone, or added."""
        expected: dict[str, str] = (read_json(self.manifest) or {}).get("sha256", {})
        present = self._files()
        names = sorted(expected.keys() | present.keys())
        return [name for name in names if name not in present or sha256(present[name]) != expected.get(name)]

    def _files(self) -> dict[str, Path]:
        return {
            str(path.relative_to(self.folder)): path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and path != self.manifest
        }


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"the time {text} has no offset")
    return at


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_hash(folder: Path) -> str:
    """SHA-256 over the names and hashes of every file below `folder`."""
    lines = [
        f"{sha256(path)}  {path.relative_to(folder)}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_json(path: Path) -> Any:
    """None when there is no such file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def write_json(path: Path, data: Any, *, once: bool = False) -> None:
    """Whole or not at all, and on the disk when this returns. `once`: FileExistsError if it is there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w") as file:
            json.dump(data, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if once:
            os.link(partial, path)
        else:
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
