"""The gate's keeper: one process beside an engineer's ansible-playbook, from its beginning to its end.

The callback (playbooks/callback_plugins/amc.py) starts it in a session of its own and reads one line of JSON:
who was let in, or why not. Then the keeper beats. It settles when the callback writes how the playbook ended,
or when the playbook's process is gone: Ctrl-C, TERM and KILL all look the same from here. When the keeper
itself goes silent, with its machine or the network, the worker settles the run at its last heartbeat.
"""

import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from orchestrator.errors import AmcError, Unreachable
from orchestrator.runs import hand
from orchestrator.runs.store import Run
from orchestrator.settings import Settings
from orchestrator.web.client import Client

LOOK_SECONDS = 0.3
MOST_REPORT_BYTES = 200 * 1024  # of all reports, below what web/limits.py lets in
GONE = "ansible-playbook ended before its end: stopped, or killed"


@dataclass(frozen=True)
class Asked:
    """What is about to be done by hand."""

    customer: str
    activity: str
    servers: tuple[str, ...]
    key: str
    person: hand.Person
    urgent: str | None
    options: Mapping[str, str]


class Gate(Protocol):
    """The gate, here or at another machine. Answers have the fields of schema.LetIn and schema.Standing."""

    def begin(self, asked: Asked) -> dict[str, Any]:
        """Let in, or the refusal as an AmcError."""

    def evidence(self, run: str) -> Path:
        """Where the roles put the servers' reports."""

    def beat(self, run: str) -> dict[str, Any]:
        """It lives."""

    def settle(self, run: str, ended: dict[str, Any]) -> dict[str, Any]:
        """It has ended."""


class Here:
    """This installation's own database."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self._engine = settings, engine

    def begin(self, asked: Asked) -> dict[str, Any]:
        """See Gate."""
        run = hand.begin(
            self._settings,
            self._engine,
            customer=asked.customer,
            activity=asked.activity,
            servers=asked.servers,
            person=asked.person,
            key=f"hand:{asked.key}",
            urgent=asked.urgent,
            options=asked.options,
            now=datetime.now(UTC),
        )
        return {"run": run.id, "words": hand.let_in(run)}

    def evidence(self, run: str) -> Path:
        """See Gate."""
        return hand.evidence_folder(self._settings, run)

    def beat(self, run: str) -> dict[str, Any]:
        """See Gate."""
        return _standing(hand.beat(self._engine, run, datetime.now(UTC)))

    def settle(self, run: str, ended: dict[str, Any]) -> dict[str, Any]:
        """See Gate."""
        ending = hand.Ending(ended["status"] == "successful", ended["words"], ended["servers"])
        return _standing(hand.settle(self._settings, self._engine, run, ending, now=datetime.now(UTC)))


class There:
    """An orchestrator that is asked over HTTP; reports are sent along at the end."""

    def __init__(self, settings: Settings) -> None:
        self._client = Client(settings)
        self._folder = Path(tempfile.mkdtemp(prefix="amc-reports-"))

    def begin(self, asked: Asked) -> dict[str, Any]:
        """See Gate."""
        body = {
            "customer": asked.customer,
            "activity": asked.activity,
            "servers": list(asked.servers),
            "key": asked.key,
            "host": asked.person.host,
            "urgent": asked.urgent,
            "options": dict(asked.options),
        }
        try:
            return self._client.order(body)
        except AmcError:
            shutil.rmtree(self._folder)
            raise

    def evidence(self, run: str) -> Path:  # noqa: ARG002 - one keeper, one run
        """See Gate."""
        return self._folder

    def beat(self, run: str) -> dict[str, Any]:
        """See Gate."""
        return self._client.beat(run)

    def settle(self, run: str, ended: dict[str, Any]) -> dict[str, Any]:
        """See Gate."""
        found = self._client.settle(run, ended | {"reports": _reports(self._folder)})
        shutil.rmtree(self._folder, ignore_errors=True)
        return found


def keep(gate: Gate, asked: Asked) -> None:
    """Ask, beat, settle; AmcError is the refusal, and then nothing was begun."""
    parent = os.getppid()
    begun = gate.begin(asked)
    run = begun["run"]
    _tell({"run": run, "evidence": str(gate.evidence(run)), "words": begun["words"]})
    ended = _follow(gate, run, parent)
    _tell(_settled(gate, run, ended))


def refuse(error: AmcError) -> None:
    """Tell the callback why not, in the command line's words."""
    _tell({"refused": str(error), "exit_code": error.exit_code})


def _follow(gate: Gate, run: str, parent: int) -> dict[str, Any]:
    """Beat until it has ended; how."""
    heard, due, trouble, over = b"", time.monotonic() + hand.BEAT_SECONDS, False, False
    while True:
        if select.select([0], [], [], LOOK_SECONDS)[0]:
            got = os.read(0, 65536)
            heard += got
            if heard.endswith(b"\n"):
                return _ended(heard)
            if not got:
                return _stopped()
        if os.getppid() != parent:
            return _stopped()
        if time.monotonic() < due:
            continue
        due = time.monotonic() + hand.BEAT_SECONDS
        try:
            standing = gate.beat(run)
        except Exception as error:
            if not trouble:
                _say(f"{run}: a heartbeat was not heard, tries go on: {str(error).splitlines()[0]}")
            trouble = True
            continue
        trouble = False
        if standing["state"] != "running" and not over:
            over = True
            _say(
                f"{run}: was settled ({standing['state']}: {standing['words']}) while it ran here;"
                " what is done from now on is in no account"
            )
        elif standing.get("stop") and not over:
            over = True
            _say(f"{run}: {standing['stop']['by']} wants its end: {standing['stop']['why']}")
            with suppress(ProcessLookupError):
                os.kill(parent, signal.SIGINT)


def _settled(gate: Gate, run: str, ended: dict[str, Any]) -> dict[str, Any]:
    """Settle, and try as long as the orchestrator waits for a heartbeat."""
    deadline = time.monotonic() + hand.SILENT_SECONDS
    while True:
        try:
            return gate.settle(run, ended)
        except Unreachable as error:
            if time.monotonic() > deadline:
                return {"run": run, "state": "running", "words": f"it could not be settled: {error}"}
        time.sleep(2)


def _ended(heard: bytes) -> dict[str, Any]:
    """The callback's word."""
    said = json.loads(heard)
    words = "; ".join(said["complaints"])[:1900]
    return {"status": said["status"], "words": words, "servers": said["servers"]}


def _stopped() -> dict[str, Any]:
    return {"status": "failed", "words": GONE, "servers": {}}


def _reports(folder: Path) -> dict[str, dict[str, Any]]:
    """Server -> activity -> report; those that can't be read or sent are left out, and that is said."""
    found: dict[str, dict[str, Any]] = {}
    size = 0
    for path in sorted(folder.glob("*/*.json")):
        size += path.stat().st_size
        try:
            report = json.loads(path.read_text())
        except ValueError:
            report = None
        if size > MOST_REPORT_BYTES or not isinstance(report, dict):
            _say(f"{path} is not sent: it is no JSON object, or the reports are too large together")
            continue
        found.setdefault(path.parent.name, {})[path.stem] = report
    return found


def _standing(run: Run) -> dict[str, Any]:
    return {
        "run": run.id,
        "state": run.state.value,
        "words": run.words,
        "stop": run.stop,
        "charged_seconds": run.charged,
    }


def _tell(line: dict[str, Any]) -> None:
    """To the callback, which may be gone."""
    with suppress(OSError):
        os.write(1, json.dumps(line).encode() + b"\n")


def _say(words: str) -> None:
    with suppress(OSError):
        print(f"amc: {words}", file=sys.stderr, flush=True)
