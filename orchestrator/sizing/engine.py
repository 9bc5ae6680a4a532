"""The engine's process: started so that it outlives us, and noted down before it does anything.

An engine that loses its reader is killed by the next word it prints, so it prints into a file. It is in a
session of its own, so it finishes what it is doing when our process group is killed. Its note is written
by itself before it becomes the engine: there is no moment in which it runs and nobody knows.
"""

import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
DEADLINE_S = 3600.0
PATIENCE_S = 120.0
NOTE_THEN_EXEC = """\
file=$1; shift
read -r stat </proc/$$/stat && read -r boot </proc/sys/kernel/random/boot_id || exit 125
started=$(printf '%s' "${stat##*) }" | cut -d' ' -f20)
printf '%s %s %s %s\\n' "$$" "$started" "$boot" "$(date +%s)" >>"$file" || exit 125
exec "$@"
"""


@dataclass(frozen=True)
class Noted:
    """An engine of this installation: `started` in ticks since the boot `boot`, noted `at` (Unix time)."""

    pid: int
    started: int
    boot: str
    at: int

    def lives(self) -> bool:
        """False only when it is certain that it ended."""
        return self.boot == boot_id() and _started(self.pid) == self.started


def boot_id() -> str:
    """Another boot id means that every process of before is gone."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def noted(file: Path) -> list[Noted]:
    """Every engine noted in a file, in order; a line that was cut off counts for nothing."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return []
    words = [line.split() for line in lines]
    return [Noted(int(each[0]), int(each[1]), each[2], int(each[3])) for each in words if len(each) == 4]


def any_lives(pid: int) -> bool:
    """Whether a process has this number now, whichever it is."""
    return _started(pid) is not None


def run(
    words: list[str], cwd: str, environment: Mapping[str, str], notes: Path | None
) -> tuple[int, str, str]:
    """Run the engine to its end: exit code, what it said on stdout, and on stderr; noted down in `notes`.

    On ctrl-C, and after an hour, it is asked once to stop, and finishes what it is doing.
    """
    before = words_to_note(notes) if notes else []
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [*before, *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            process.wait(DEADLINE_S)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)
            raise
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read())
    return process.returncode, said[0], said[1]


def words_to_note(notes: Path) -> list[str]:
    """What to write before a command, so that its process is noted in that file first."""
    return ["/bin/sh", "-c", NOTE_THEN_EXEC, "sh", str(notes)]


def wait_for(ours: Noted, patience: float = PATIENCE_S) -> bool:
    """Whether it ended within these seconds."""
    deadline = time.monotonic() + patience
    while ours.lives():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _started(pid: int) -> int | None:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in parentheses and may hold anything, so read from the last one on.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
