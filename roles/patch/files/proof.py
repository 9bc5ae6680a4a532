"""On the backup server: has a drill proven a young enough backup of a server? Prints one JSON document.

    proof.py --server NAME --within-days N

Ansible hands it to the backup server's Python on standard input. It asks the program `status` there, which
knows what drills have proven: {"proven": {"at", "backup_id", "backup_ended", "rpo_seconds", ...} or null}.
The document: `refused`, why the patch may not rely on it, empty when it may; `proven`, that record or null.
"""

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

STATUS = "/usr/local/lib/amc/backup/status.py"
STATUS_SECONDS = 60
MEND = "amc run start drill proves one"


def refusal(server: str, proven: dict[str, Any] | None, now: datetime, within_days: int) -> str:
    """Why a patch may not rely on it; empty when it may. The backup's age counts, not the drill's."""
    if not proven:
        return f"no drill has proven that a backup of {server} comes back: {MEND}"
    age = now - datetime.fromisoformat(proven["backup_ended"])
    if age > timedelta(days=within_days):
        return (
            f"the newest proven backup of {server}, {proven['backup_id']}, is {age.days} days old, "
            f"the contract allows {within_days}: {MEND}"
        )
    return ""


def ask(server: str) -> dict[str, Any] | None:
    """What the last good drill has proven. LookupError with words when the backup server can't tell."""
    command = ["/usr/bin/python3", "-B", STATUS, "--server", server, "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=STATUS_SECONDS, check=False)
        answer = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise LookupError(f"the backup server can't be asked: {problem}") from None
    except ValueError:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        raise LookupError(f"the backup server's status said {said[0]!r}") from None
    # `status` exits 1 for an unprotected server too; it knows what was proven all the same.
    if "proven" not in answer:
        words = "; ".join(answer.get("problems", [])) or "it does not say what was proven"
        raise LookupError(f"the backup server knows no proof for {server}: {words}")
    proven: dict[str, Any] | None = answer["proven"]
    return proven


def main() -> int:
    """Exit code 0 whatever was found: `refused` says it."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    words.add_argument("--within-days", type=int, required=True)
    asked = words.parse_args()
    proven = None
    try:
        proven = ask(asked.server)
        refused = refusal(asked.server, proven, datetime.now(UTC), asked.within_days)
    except LookupError as problem:
        refused = str(problem)
    print(json.dumps({"refused": refused, "proven": proven}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
