"""Never twice, never lost: launch a run's playbook once, and after a crash find out what became of it.

An attempt is claimed (a file that can be made only once) before its process is started, and the process
writes down its own pid and start time before it does anything else. So a later worker knows:

    result.json there                             finished
    process known and alive                       running: attach
    process known and gone, or the host rebooted  dead: the next attempt may follow
    claimed, and no process known                 unknown: a person decides
    claimed on another host                       unknown: its processes can't be seen from here; while its
                                                  heart beats into shared evidence: running
    somebody wants its end                        its processes are ended: stopped
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from orchestrator.runs.evidence import Attempt, Evidence, read_json, write_json
from orchestrator.runs.processes import Process, boot_id, carrying, end, host_id

MOST_ATTEMPTS = 3
RUN_LIMIT_SECONDS = 6 * 3600  # no playbook of ours runs longer; execution ends it then
APPEARS_WITHIN_SECONDS = 30  # from the start of the process to process.json
FORK_TO_EXEC_SECONDS = 2  # until a process that was just started carries the mark
PATIENCE_SECONDS = 15  # for what a dead attempt left running
STOP_SECONDS = 5  # from TERM to KILL for a run that is stopped
SILENT_SECONDS = 30  # another host's heart that beats has beaten within
MARK = "AMC_RUN_ID"  # the environment variable by which a run's processes are found


class Fate(StrEnum):
    """What became of an attempt."""

    RUNNING = "running"
    FINISHED = "finished"
    DEAD = "dead"
    UNKNOWN = "unknown"
    STOPPED = "stopped"


Stop = Callable[[], str]
"""Asked again and again: who wants the run's end and why, in words; "" while nobody does."""
EXECUTION = (sys.executable, "-m", "orchestrator.runs.execution")


def fate(attempt: Attempt) -> Fate:
    """From its files and /proc alone; reading it changes nothing."""
    if attempt.result.exists():
        return Fate.FINISHED
    claim = read_json(attempt.claim)
    if claim["host"] != host_id():
        return Fate.UNKNOWN
    if claim["boot"] != boot_id():
        return Fate.DEAD
    process = read_json(attempt.process)
    if process is None:
        return Fate.UNKNOWN
    if Process.from_json(process).lives():
        return Fate.RUNNING
    # It may have finished between the first look and the last.
    return Fate.FINISHED if attempt.result.exists() else Fate.DEAD


def follow(run: str, evidence: Evidence, say: Callable[[str], None], stop: Stop) -> tuple[Fate, str]:
    """Bring the run to an end, from wherever it stands: (FINISHED | DEAD | UNKNOWN | STOPPED, words).

    DEAD: MOST_ATTEMPTS attempts died. STOPPED: nothing of it runs on this machine any more. Takes as long as
    the playbook does, RUN_LIMIT_SECONDS and a margin per attempt at most; beyond that it is UNKNOWN.
    """
    while True:
        attempts = evidence.attempts()
        if attempts and (found := _wait(run, attempts[-1], stop)) is not Fate.DEAD:
            return _as_found(run, attempts[-1], found, stop)
        if end_of_it := _no_other(run, attempts, stop):
            return end_of_it
        number = attempts[-1].number if attempts else 0
        say(f"attempt {number} died; attempt {number + 1}" if attempts else "attempt 1")
        launch(run, evidence.attempt(number + 1))


def _as_found(run: str, last: Attempt, found: Fate, stop: Stop) -> tuple[Fate, str]:
    """What an attempt that did not die means for the run."""
    if found is Fate.STOPPED:
        return _stopped(run, stop())
    if found is Fate.RUNNING:
        return Fate.UNKNOWN, f"attempt {last.number} still runs after {RUN_LIMIT_SECONDS} s"
    if found is Fate.UNKNOWN:
        return found, f"attempt {last.number} was claimed by {_claimant(last)}, and no process is known"
    return found, ""


def _no_other(run: str, attempts: list[Attempt], stop: Stop) -> tuple[Fate, str] | None:
    """Why no other attempt may follow these, which are dead; None when one may. Nothing of them is left."""
    if attempts:
        shutil.rmtree(attempts[-1].runner, ignore_errors=True)
    if wanted := stop():
        return _stopped(run, wanted)
    if len(attempts) >= MOST_ATTEMPTS:
        return Fate.DEAD, f"all of {MOST_ATTEMPTS} attempts died before their end"
    if attempts and (left := end(carrying(MARK, run), PATIENCE_SECONDS)):
        pids = ", ".join(str(process.pid) for process in left)
        return Fate.UNKNOWN, f"processes of attempt {attempts[-1].number} can't be ended: {pids}"
    return None


def launch(run: str, attempt: Attempt) -> None:
    """Claim, then start the process and wait until it has said who it is; nothing where it is claimed."""
    claim = {"host": host_id(), "boot": boot_id(), "worker": os.getpid(), "at": datetime.now(UTC).isoformat()}
    try:
        write_json(attempt.claim, claim, once=True)
    except FileExistsError:  # by a worker that has lost its lock and does not know yet
        return
    command = [*EXECUTION, str(attempt.folder)]
    environment = os.environ | {MARK: run, "AMC_RUN_ATTEMPT": str(attempt.number)}
    try:
        with (attempt.folder / "process.log").open("ab") as log:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:  # nothing was started, and that is certain
        write_json(attempt.result, {"status": "error", "words": f"could not be started: {error}"})
        return
    deadline = time.monotonic() + APPEARS_WITHIN_SECONDS
    while not attempt.process.exists() and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if not attempt.process.exists() and child.poll() is not None:
        words = f"ended with {child.returncode} before it began: {attempt.folder / 'process.log'}"
        write_json(attempt.result, {"status": "error", "words": words})


def _wait(run: str, attempt: Attempt, stop: Stop) -> Fate:
    """Its end; RUNNING when the limit is over; STOPPED when somebody wants the end of what may run here."""
    deadline = time.monotonic() + RUN_LIMIT_SECONDS + 300
    settles = time.monotonic() + FORK_TO_EXEC_SECONDS
    appears = time.monotonic() + APPEARS_WITHIN_SECONDS
    heard, beats = time.monotonic(), b""
    while True:
        found = fate(attempt)
        starting = found is Fate.UNKNOWN and (
            time.monotonic() < settles or (time.monotonic() < appears and carrying(MARK, run))
        )
        if found is Fate.UNKNOWN and (now := _beats(attempt)) != beats:
            heard, beats = time.monotonic(), now
        afar = beats != b"" and time.monotonic() < heard + SILENT_SECONDS
        runs = found is Fate.RUNNING or starting or (found is Fate.UNKNOWN and afar)
        if not runs or time.monotonic() > deadline:
            return found
        if found is Fate.RUNNING and stop():
            return Fate.STOPPED
        time.sleep(0.3)


def _beats(attempt: Attempt) -> bytes:
    """The heart of an attempt on another host, where the evidence is shared; nothing for one of this host."""
    if read_json(attempt.claim)["host"] == host_id() or not attempt.effort.exists():
        return b""
    return attempt.effort.read_bytes()


def _stopped(run: str, wanted: str) -> tuple[Fate, str]:
    """End what runs here; what a process starts while it ends is ended in the next round."""
    for _ in range(3):
        left = end(carrying(MARK, run), STOP_SECONDS, at_once=True)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        return Fate.UNKNOWN, f"{wanted}; its processes can't be ended: {pids}"
    return Fate.STOPPED, wanted


def _claimant(attempt: Attempt) -> str:
    claim = read_json(attempt.claim)
    return f"worker {claim['worker']} on {claim['host'][:12]} at {claim['at']}"
