"""What a new login can prove here: that it is root by sudo, and that M EMS works. Prints one JSON document.

    prove.py CHECK        CHECK: M EMS's own check, or empty where there is no M EMS

Ansible hands it to the server's Python over a login of its own: that it runs at all proves that login.
The document: {"proofs": [{what, ok, words}]}. Writes one file of the store and removes it, as the application
would: in the sandbox of its running instance.
"""

import json
import os
import subprocess
import sys

SECONDS = 40
STORE = 'file=$(mktemp /srv/mems/files/.amc-proof-XXXXXX) && rm -- "$file"'


def _run(*command: str) -> tuple[bool, str]:
    """Whether it ended well, and what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return False, str(problem)
    return done.returncode == 0, (done.stderr.strip() or done.stdout.strip())[-300:]


def _store() -> tuple[bool, str]:
    _, unit = _run("sh", "-c", "systemctl list-units --plain --no-legend --state=active 'mems@*.service'")
    if not unit:
        return False, "no instance of M EMS runs"
    _, pid = _run("systemctl", "show", "-P", "MainPID", unit.split()[0])
    return _run("nsenter", "-t", pid, "--mount", "--", "runuser", "-u", "mems", "--", "sh", "-c", STORE)


def main() -> None:
    """See the module."""
    check = sys.argv[1]
    proofs = [("a new login by SSH, and sudo", os.geteuid() == 0, "")]
    if check:
        proofs.append(("M EMS answers business calls through nginx", *_run(check)))
        proofs.append(("the application writes to its file store", *_store()))
    print(
        json.dumps(
            {"proofs": [{"what": what, "ok": ok, "words": "" if ok else words} for what, ok, words in proofs]}
        )
    )


if __name__ == "__main__":
    main()
