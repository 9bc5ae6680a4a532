#!/usr/bin/python3 -BI
"""What the backup server's key may do on this server: ask for one of these, and nothing else.

    figures | units | version    what M EMS's own executables print
    store   (rsync)              the file store:     rsync --rsync-path=store  … amc-backup@here:./ there/
    config  (rsync)              the configuration:  rsync --rsync-path=config … amc-backup@here:./ there/

The forced command of the user amc-backup, by sudo as root; the request is in SSH_ORIGINAL_COMMAND. Files are
read through rrsync -ro, which refuses to write, to delete, and to leave the folder. Exit 1 for anything else.
"""

import os
import re
import sys

ASK = {word: f"/usr/local/lib/mems/{word}" for word in ("figures", "units", "version")}
FOLDERS = {"store": "/srv/mems/files", "config": "/etc"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def decide(request: str) -> tuple[list[str], str]:
    """The program to become and the rsync command it is to see; ValueError for what is not on the list."""
    if request in ASK:
        return [ASK[request]], ""
    found = re.fullmatch(r"(store|config) (--server --sender .*)", request)
    if not found:
        raise ValueError(request)
    folder = FOLDERS[found[1]]
    return ["/usr/bin/rrsync", "-ro", "-munge", folder], f"rsync {found[2]}"


def main() -> None:
    """Becomes the program that answers."""
    try:
        program, rsync = decide(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    except ValueError as refused:
        sys.exit(f"send: {str(refused)[:80]!r} is not sent from here")
    environment = {"PATH": PATH, "LANG": "C.UTF-8", "SSH_ORIGINAL_COMMAND": rsync, "SSH_CONNECTION": "backup"}
    os.execve(program[0], program, environment)


if __name__ == "__main__":
    main()
