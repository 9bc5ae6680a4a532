"""Where an inventory says something: the file and the line of a server's variable, for words about it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import Problem
from orchestrator.fleet.read import HOSTS, Server

YAML = (".yml", ".yaml")


@dataclass(frozen=True)
class Said:
    """A server's variables, with the files that they may stand in; `folder` is the customer's."""

    folder: Path
    server: Server

    def value(self, key: str) -> Any:
        """As it stands in the file; None when nothing is said."""
        return self.server.variables.get(key)

    def problem(self, key: str, words: str, mend: str) -> Problem:
        """At the line of the key; at the file where it belongs when it stands nowhere."""
        for file in self._files():
            for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
                if re.match(rf"\s*{re.escape(key)}\s*:", line):
                    return Problem(file, number, words, mend)
        place = "group_vars/all" if key.startswith("aws_") else f"host_vars/{self.server.name}.yml"
        return Problem(self.folder / place, 0, words, mend)

    def _files(self) -> list[Path]:
        """The strongest first, as Ansible lets them win."""
        names = [f"host_vars/{self.server.name}"]
        names += [f"group_vars/{group}" for group in (*self.server.groups, "all")]
        files = []
        for name in names:
            for suffix in YAML:
                files.append(self.folder / f"{name}{suffix}")
                files += sorted((self.folder / name).glob(f"*{suffix}"))
        return [file for file in [*files, self.folder / HOSTS] if file.is_file()]
