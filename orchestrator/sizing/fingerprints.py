"""What a plan is bound to: the commit, the customer's inventory, the engine's state; each as a hash."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Not what a resource is, but when and from where it was written down.
_BESIDES = ("created", "modified", "sourcePosition", "stackTrace")


def commit(repository: Path) -> str:
    """The checkout's commit; empty where it is no checkout."""
    done = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def of_folder(folder: Path) -> str:
    """Every file below it, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(folder)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def of_file(file: Path) -> str:
    """One file's content."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def of_state(state: Mapping[str, Any]) -> str:
    """What the state says of the resources, and what was begun and not ended."""
    resources = [
        {key: value for key, value in each.items() if key not in _BESIDES} for each in state["resources"]
    ]
    told = [sorted(resources, key=lambda each: str(each["urn"])), state["pending_operations"]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
