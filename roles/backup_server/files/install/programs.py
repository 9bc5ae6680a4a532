"""Make a folder hold exactly these programs: one connection, where a copy a file would be forty.

    programs.py [--look] FOLDER < {"name.py": content, ...}

Prints {"changed": names written or removed}, or with --look those that would be. Only *.py is looked at. Each
is written beside its place and renamed. Ansible hands it to the server's Python.
"""

import json
import os
import sys
from pathlib import Path


def difference(folder: Path, wanted: dict[str, str]) -> list[str]:
    """Names whose file is missing, other, or not wanted."""
    there = {path.name: path.read_text() for path in folder.glob("*.py")}
    return sorted(name for name in there.keys() | wanted.keys() if there.get(name) != wanted.get(name))


def main() -> None:
    """Look, write, print."""
    look, folder = "--look" in sys.argv, Path(sys.argv[-1])
    wanted: dict[str, str] = json.load(sys.stdin)
    changed = difference(folder, wanted)
    for name in [] if look else changed:
        if name not in wanted:
            (folder / name).unlink()
            continue
        part = folder / f".{name}.{os.getpid()}"
        part.write_text(wanted[name])
        part.chmod(0o755)
        part.replace(folder / name)
    print(json.dumps({"changed": changed}))


if __name__ == "__main__":
    main()
