"""Put programs in their places under a folder, in one connection: a task each would cost half a second each.

    programs.py [--look] FOLDER < {"name": content, "folder/name": content, ...}

Those in a folder are modules (0644), the others executables (0755); files that are not named are left alone.
Prints {"changed": names written, or with --look that would be}. Ansible hands it to the server's Python.
"""

import json
import os
import sys
from pathlib import Path


def differs(path: Path, text: str, mode: int) -> bool:
    """Whether it has to be written."""
    return not path.is_file() or path.read_text() != text or path.stat().st_mode & 0o7777 != mode


def main() -> None:
    """Look, write, print."""
    look, top = "--look" in sys.argv, Path(sys.argv[-1])
    changed = []
    for name, text in json.load(sys.stdin).items():
        path, mode = top / name, 0o644 if "/" in name else 0o755
        if not differs(path, text, mode):
            continue
        changed.append(name)
        if not look:
            path.parent.mkdir(exist_ok=True)
            path.parent.chmod(0o755)  # also where root's umask is a hardened one
            part = path.with_name(f".{path.name}.{os.getpid()}")
            part.write_text(text)
            part.chmod(mode)
            part.replace(path)
    print(json.dumps({"changed": changed}))


if __name__ == "__main__":
    main()
