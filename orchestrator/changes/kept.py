"""What changes leave below AMC_HOME/changes: what was planned, what was ordered, and the trees of merges.

plans/<digest>.json               one customer's proposal, as it was shown
merges/<commit>/<customer>.json   what a merge orders, written down before the first order
merges/<commit>/<customer>.done   every order of it was placed
merges/<commit>/<customer>.plan/  Pulumi's plan of it, until the run takes it as evidence
applied/<customer>.json           {commit, tree}: which inventory the last ordered merge left
trees/<commit>/                   a whole commit, which runs work with; it stays, as evidence does
merged -> trees/<commit>          the newest of them: AMC_INVENTORIES may point into it
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.runs.evidence import read_json, write_json


@dataclass(frozen=True)
class Kept:
    """The folder AMC_HOME/changes."""

    folder: Path

    @property
    def merged(self) -> Path:
        """A link to the newest merge's tree."""
        return self.folder / "merged"

    def tree(self, commit: str) -> Path:
        """Where a commit's tree is kept, or would be."""
        return self.folder / "trees" / commit

    def engines_plan(self, commit: str, customer: str) -> Path:
        """Where Pulumi's plan of a merge is until it is ordered."""
        return self.folder / "merges" / commit / f"{customer}.plan"

    def plan(self, digest: str) -> dict[str, Any] | None:
        """The proposal that was shown under this digest; None when none was."""
        found: dict[str, Any] | None = read_json(self.folder / "plans" / f"{digest}.json")
        return found

    def plans(self) -> list[dict[str, Any]]:
        """Every proposal that was shown."""
        return [read_json(path) for path in sorted((self.folder / "plans").glob("*.json"))]

    def keep_plan(self, digest: str, document: dict[str, Any]) -> None:
        """Shown: from now on a merge may order it."""
        write_json(self.folder / "plans" / f"{digest}.json", document)

    def record(self, commit: str, customer: str) -> dict[str, Any] | None:
        """What this merge orders for the customer; None before it was decided."""
        found: dict[str, Any] | None = read_json(self._record(commit, customer))
        return found

    def keep_record(self, commit: str, customer: str, record: dict[str, Any]) -> None:
        """Decided, once. FileExistsError when it was."""
        write_json(self._record(commit, customer), record, once=True)

    def is_done(self, commit: str, customer: str) -> bool:
        """Whether every order of the record was placed: announced again, nothing is placed."""
        return self._record(commit, customer).with_suffix(".done").exists()

    def note_done(self, commit: str, customer: str, tree: str) -> None:
        """The customer's servers are told to become the folder with this id."""
        applied = {"commit": commit, "tree": tree}
        write_json(self.folder / "applied" / f"{customer}.json", applied)
        write_json(self._record(commit, customer).with_suffix(".done"), applied)

    def applied(self, customer: str) -> dict[str, str] | None:
        """{commit, tree} of the last merge that was ordered for the customer; None before the first."""
        found: dict[str, str] | None = read_json(self.folder / "applied" / f"{customer}.json")
        return found

    def newest(self) -> str:
        """The commit that `merged` leads to; empty before the first."""
        return self.merged.readlink().name if self.merged.is_symlink() else ""

    def lead_to(self, commit: str) -> None:
        """`merged` leads to this commit's tree from now on, in one step."""
        part = self.folder / f".merged.{os.getpid()}"
        part.unlink(missing_ok=True)
        part.symlink_to(Path("trees") / commit)
        part.replace(self.merged)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time orders merges; the others wait. The kernel frees the lock."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _record(self, commit: str, customer: str) -> Path:
        return self.folder / "merges" / commit / f"{customer}.json"
