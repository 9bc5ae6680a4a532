"""The night's work for one M EMS server: a backup, old file snapshots go, then everything is verified.

    nightly.py --server NAME [--tries N] [--pause SECONDS]

Exit 0 when all went well. Each part comes also after one that failed. While tries are left it then makes a
pause and goes on from the first that failed: an M EMS server that restarts in this minute is no lost night.
"""

import argparse
import subprocess
import sys
import time

import pair as pairs

PARTS = [["backup"], ["files", "--thin"], ["verify"]]
PAUSE_SECONDS = 900


def left(server: str, parts: list[list[str]]) -> list[list[str]]:
    """Do the parts one after the other, output to the journal; those from the first that failed on."""
    codes = []
    for program, *more in parts:
        command = [sys.executable, "-B", str(pairs.PROGRAMS / f"{program}.py"), "--server", server, *more]
        codes.append(subprocess.run(command, check=False).returncode)
    first = next((number for number, code in enumerate(codes) if code), len(parts))
    return parts[first:]


def main() -> int:
    """All parts."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    words.add_argument("--tries", type=int, default=1)
    words.add_argument("--pause", type=float, default=PAUSE_SECONDS)
    asked = words.parse_args()
    pairs.as_barman()
    parts = left(asked.server, PARTS)
    for _ in range(asked.tries - 1):
        if not parts:
            break
        print(f"again in {asked.pause:.0f} s: {', '.join(part[0] for part in parts)}", flush=True)
        time.sleep(asked.pause)
        parts = left(asked.server, parts)
    return 1 if parts else 0


if __name__ == "__main__":
    sys.exit(main())
