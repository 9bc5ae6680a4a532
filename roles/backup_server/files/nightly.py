"""The night's work for one M EMS server: a backup, then the verification of everything.

    nightly.py --server NAME

Exit 0 when both went well. The verification comes also after a backup that failed.
"""

import argparse
import subprocess
import sys

import pair as pairs


def main() -> int:
    """Both, one after the other; their output goes to the journal."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    asked = words.parse_args()
    pairs.as_barman()
    codes = []
    for program in ("backup", "verify"):
        path = pairs.PROGRAMS / f"{program}.py"
        if path.exists():
            command = [sys.executable, "-B", str(path), "--server", asked.server]
            codes.append(subprocess.run(command, check=False).returncode)
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
