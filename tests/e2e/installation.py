"""An installation as a user has it: a checkout, a home of its own, and the command line."""

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Installation:
    """A clone and its home; `amc` runs its command line and never raises for an exit code."""

    folder: Path
    environment: dict[str, str]

    @property
    def first_up(self) -> str:
        """What the first `scripts/up` printed."""
        return (self.folder.parent / "up.out").read_text()

    @property
    def home(self) -> Path:
        return Path(self.environment["AMC_HOME"])

    def run(self, *words: str, deadline_s: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )

    def amc(self, *words: str, deadline_s: float = 600) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.folder / ".venv/bin/amc"), *words, deadline_s=deadline_s)

    def json(self, *words: str) -> Any:
        """The document that a command prints; fails with its words when it does not exit 0."""
        done = self.amc(*words, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def runs(self, customer: str) -> list[Any]:
        """The customer's runs, the newest first."""
        listed: list[Any] = self.json("run", "list", "--customer", customer)
        return listed

    def on(self, server: str, command: str) -> str:
        """What a command prints on a lab server."""
        done = self.amc("lab", "ssh", server, "--", command, deadline_s=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @staticmethod
    def year() -> str:
        """The calendar year of now; the demo customers are ahead of UTC by some hours only."""
        return str(datetime.now(UTC).year)
