"""Ask M EMS by its own check, again and again until it answers or the time is over.

    mems.py COMMAND SECONDS

Prints what the last check printed as JSON, with its `exit_code` (`words` where it printed none), ends with 0
when M EMS answered. Ansible hands it to the server's Python on standard input.
"""

import json
import subprocess
import sys
import time
from typing import Any

ONE_CHECK_SECONDS = 60


def ask(command: str) -> dict[str, Any]:
    """One check; never raises. A check that can't be run, or hangs, has the exit code -1."""
    try:
        done = subprocess.run(
            [command], capture_output=True, text=True, timeout=ONE_CHECK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return {"words": str(problem), "exit_code": -1}
    try:
        printed = json.loads(done.stdout)
    except ValueError:
        printed = None
    if not isinstance(printed, dict):
        printed = {"words": (done.stdout + done.stderr).strip()}
    elif done.returncode != 0:
        printed = {**printed, "words": done.stderr.strip()}
    return {**printed, "exit_code": done.returncode}


def main() -> int:
    """Exit code 0 when M EMS answered in time."""
    command, seconds = sys.argv[1], float(sys.argv[2])
    until = time.monotonic() + seconds
    while (answer := ask(command))["exit_code"] != 0 and time.monotonic() < until:
        time.sleep(1)
    print(json.dumps(answer))
    return 0 if answer["exit_code"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
