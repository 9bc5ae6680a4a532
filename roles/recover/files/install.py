"""Put the programs of a recovery in their folder: {name: contents} on standard input, in one go.

One task each would cost a second each while users wait. Prints {"changed": the names that were written}.
"""

import json
import sys
from pathlib import Path

FOLDER = Path("/usr/local/lib/amc/recover")


def main() -> int:
    """Write what differs."""
    programs: dict[str, str] = json.load(sys.stdin)
    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    changed = []
    for name, text in programs.items():
        path = FOLDER / name
        if not path.exists() or path.read_text() != text:
            part = path.with_name(name + ".part")
            part.write_text(text)
            part.chmod(0o755)
            part.replace(path)
            changed.append(name)
    print(json.dumps({"changed": changed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
