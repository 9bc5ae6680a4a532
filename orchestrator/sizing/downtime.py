"""How long a change of specification stops a server: from what was measured, else from a table.

Measured ones are kept by provider; the prediction is the longest of the last ten. A live change stops
nothing.
"""

import json
import os
from pathlib import Path
from typing import Any

# Seconds until users are let in again, for the first time: guesses, on the long side.
TABLE = {"aws": 180.0, "lab": 30.0}
LAST = 10
KEEP = 500


def predict(history: Path, provider: str, stops: bool) -> float:
    """Seconds in which users are without the server."""
    if not stops:
        return 0.0
    seen = [each["seconds"] for each in _read(history) if each.get("provider") == provider][-LAST:]
    return float(max(seen)) if seen else TABLE[provider]


def record(history: Path, provider: str, server: str, seconds: float) -> None:
    """Keep a measurement, in seconds; whoever watched the server from outside tells it."""
    history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [json.dumps(each) for each in _read(history)][-KEEP:]
    lines.append(json.dumps({"provider": provider, "server": server, "seconds": round(seconds, 2)}))
    part = history.with_name(f"{history.name}.{os.getpid()}")
    part.write_text("\n".join(lines) + "\n")
    part.replace(history)


def _read(history: Path) -> list[dict[str, Any]]:
    if not history.is_file():
        return []
    found = []
    for line in history.read_text().splitlines():
        try:
            each = json.loads(line)
        except ValueError:
            continue
        if isinstance(each, dict) and isinstance(each.get("seconds"), int | float):
            found.append(each)
    return found
