"""Run a command that may write only where it is told: for programs that talk to a server we don't trust.

    confine.py --write FOLDER... --read PATH... -- COMMAND...

The kernel's Landlock holds it and all its children: what is not named can be neither read nor written,
whatever the other side makes the program try. Exit code 125 when the kernel has no Landlock: nothing runs
unconfined then.
"""

import argparse
import ctypes
import os
import sys
from pathlib import Path

# System calls have these numbers on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH, NO_NEW_PRIVS = 1, 1, 38
# Bits of linux/landlock.h. The first 13 are version 1; then REFER (2), TRUNCATE (3) and IOCTL_DEV (5).
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | 1 << 14
BITS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}
UNAVAILABLE = 125


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def rights(version: int) -> int:
    """Every right that this version of Landlock can hold, without IOCTL_DEV: terminals need it."""
    return (1 << BITS_OF_VERSION.get(version, 15)) - 1


def available() -> bool:
    """Whether this kernel has Landlock, and lets us use it."""
    version = ctypes.CDLL(None).syscall(
        CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION)
    )
    return int(version) > 0


def restrict(write: list[Path], read: list[Path]) -> None:
    """Confine this process and its children for good; OSError when the kernel can't."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        answer = int(libc.syscall(number, *arguments))
        if answer < 0:
            raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
        return answer

    every = rights(call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION)))
    asked = _Ruleset(every)
    ruleset = call(
        CREATE_RULESET, ctypes.byref(asked), ctypes.c_size_t(ctypes.sizeof(asked)), ctypes.c_uint32(0)
    )
    for paths, allowed in ((write, every), (read, EXECUTE | READ_FILE | READ_DIR)):
        for path in paths:
            if path.exists():
                _allow(call, ruleset, path, allowed)
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs can't be set")
    call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def _allow(call: object, ruleset: int, path: Path, allowed: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = _PathBeneath(allowed if path.is_dir() else allowed & OF_FILES, opened)
    call(  # type: ignore[operator]
        ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0)
    )
    os.close(opened)


def main() -> None:
    """Confine, then become the command."""
    words = argparse.ArgumentParser()
    words.add_argument("--write", type=Path, action="append", default=[])
    words.add_argument("--read", type=Path, action="append", default=[])
    words.add_argument("command", nargs="+")
    asked = words.parse_args()
    try:
        restrict(asked.write, asked.read)
    except OSError as error:
        print(f"confine: {error}; the command was not run", file=sys.stderr)
        sys.exit(UNAVAILABLE)
    os.execvp(asked.command[0], asked.command)


if __name__ == "__main__":
    main()
