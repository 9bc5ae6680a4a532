"""The night's work for one M EMS server: a backup, old file snapshots go, then everything is verified.

    nightly.py --server NAME

Exit 0 when all went well. Each part comes also after one that failed.
"""

import argparse
import subprocess
import sys

import pair as pairs


def main() -> int:
    """All parts, one after the other; their output goes to the journal."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    asked = words.parse_args()
    pairs.as_barman()
    codes = []
    for program, *more in (("backup",), ("files", "--thin"), ("verify",)):
        command = [sys.executable, "-B", str(pairs.PROGRAMS / f"{program}.py"), "--server", asked.server]
        codes.append(subprocess.run([*command, *more], check=False).returncode)
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
