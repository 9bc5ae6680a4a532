"""Work by hand: an engineer's own ansible-playbook, let in, followed by its heartbeats, and accounted for.

    begin           the gate: covered? hours held? in a window? nobody else at work there? else a refusal
    beat            it lives
    settle          it has ended, as ansible-playbook says and the servers report
    settle_silent   it has not been heard of for SILENT_SECONDS: settled at its last heartbeat, as unknown

Such a run has no workflow: its row is RUNNING from the beginning, `hand` says whose it is. Its evidence has
the shape of any run's, with one attempt that is written at the end.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import reading
from orchestrator.errors import UsageError, Waiting
from orchestrator.fleet.read import read
from orchestrator.ledger import hours
from orchestrator.runs import beginning, outcome, placing, store, view
from orchestrator.runs.attempts import Fate
from orchestrator.runs.evidence import Evidence, write_json
from orchestrator.runs.order import Order
from orchestrator.runs.states import Event, ImpossibleTransition, State
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

BEAT_SECONDS = 5
SILENT_SECONDS = 90
Reports = Mapping[str, Mapping[str, Mapping[str, Any]]]
# Of a report: they become the names of a folder and a file.
SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Person:
    """Who works: `by` a name, `host` the machine, `token` the name of the token over HTTP ("" here)."""

    by: str
    host: str = field(default_factory=socket.gethostname)
    token: str = ""

    def as_json(self) -> dict[str, str]:
        """As it stands in the run's row."""
        said = {"by": self.by, "host": self.host}
        return said | {"token": self.token} if self.token else said


@dataclass(frozen=True)
class Ending:
    """How ansible-playbook ended: `recap` {server: {ok, changed, failures, unreachable}}, `words` or ""."""

    succeeded: bool
    words: str = ""
    recap: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    reports: Reports = field(default_factory=dict)


def begin(
    settings: Settings,
    engine: Engine,
    *,
    customer: str,
    activity: str,
    servers: tuple[str, ...],
    person: Person,
    key: str,
    urgent: str | None,
    options: Mapping[str, str],
    now: datetime,
) -> Run:
    """Let somebody run the activity's playbook himself; the same `key` again gives the same run.

    NotCovered and HoursInsufficient as in placing.place. Waiting: a window, or a run on one of the servers.
    UsageError: no such activity or server, or it is planned before it is done (resize).
    """
    if activity in placing.PLANNED:
        raise UsageError(
            f"{activity} is planned and approved before it is done",
            f"amc run start {activity} --customer {customer}",
        )
    settle_silent(settings, engine, now)
    contract = read_customer(settings.inventories, customer)
    known = [server.name for server in read(settings.inventories, customer).servers]
    if strange := [name for name in servers if name not in known]:
        raise UsageError(f"{customer} has no server {', '.join(strange)}", f"its servers: {', '.join(known)}")
    if not servers:
        raise UsageError("no server is named", f"its servers: {', '.join(known)}")
    order = Order(customer, activity, servers, f"by hand: {person.by}", key, options=options)

    def take(connection: Connection, run: Run) -> Run:
        if run.state is State.WAITING:
            raise Waiting(
                f"{activity} waits for a maintenance window, {view.planned(run)}: {run.words}",
                'come back then, order it (amc run start), or say why it can\'t wait: -e amc_now="REASON"',
            )
        _refuse_beside_another(connection, run)
        stamp = now.isoformat()
        return replace(run, state=State.RUNNING, hand=person.as_json(), beats=[[stamp, stamp]])

    run, _ = placing.place(
        engine, settings, contract, order, now=now, enqueue=_never, urgent=urgent, take=take
    )
    _require_own(run, person.token)
    if run.state is not State.RUNNING:
        raise UsageError(f"{run.id} was begun under this key before, and is {run.state}", "use another key")
    beginning.begin(settings, engine, run.id, now)
    return run


def let_in(run: Run) -> str:
    """What whoever was let in is told."""
    return (
        f"{run.id}: covered by {run.clause} of {run.contract['number']}, {hours.show(run.held or 0)} held"
        + (f"; outside the windows: {run.urgent}" if run.urgent else "")
    )


def beat(engine: Engine, run: str, now: datetime, token: str = "") -> Run:
    """Note that it lives; a run that has ended stays as it is. UsageError: it is no such person's run."""
    with engine.begin() as connection:
        found = store.locked(connection, run)
        _require_own(found, token)
        if found.state is State.RUNNING:
            store.note_beats(connection, found, _longer(found.beats or [], now))
    return found


def settle(
    settings: Settings, engine: Engine, run: str, ending: Ending, *, now: datetime, token: str = ""
) -> Run:
    """Its end, at `now`; a run that has ended stays as it is. UsageError as in `beat`."""
    found = beat(engine, run, now, token)
    if found.state is State.RUNNING:
        evidence = store.evidence(settings, run)
        for server, by_activity in ending.reports.items():
            if not SERVER.fullmatch(server) or not all(NAME.fullmatch(name) for name in by_activity):
                raise UsageError(f"{server!r} can't report that", "names of a server and of an activity")
            for activity, report in by_activity.items():
                write_json(evidence.reports / server / f"{activity}.json", dict(report))
        status = "successful" if ending.succeeded else "failed"
        _write_attempt(engine, found, evidence, status, ending)
        event, words = _judged(evidence)
        if found.stop and event is Event.FAIL:
            event, words = Event.CANCEL, f"{found.stop['by']}: {found.stop['why']}"
        _close(settings, engine, run, event, words, now=now)
    with reading(engine) as connection:
        return store.get(connection, run)


def settle_silent(settings: Settings, engine: Engine, now: datetime) -> list[str]:
    """Settle runs by hand that nobody has heard of for SILENT_SECONDS; how they ended is unknown.

    A line of words for each.
    """
    told = []
    with reading(engine) as connection:
        runs = store.running_by_hand(connection)
    for run in runs:
        last = _last(run)
        if now - last > timedelta(seconds=SILENT_SECONDS):
            words = f"not heard of since {last:%Y-%m-%d %H:%M:%S} UTC: settled then"
            _write_attempt(engine, run, store.evidence(settings, run.id), "silent", Ending(False, words))
            _close(settings, engine, run.id, Event.LOSE, words, now=now)
            told.append(f"{run.id}: {words}")
    return told


def _refuse_beside_another(connection: Connection, run: Run) -> None:
    """The hold has locked the contract, so two who begin at once see each other."""
    if other := store.running_on(connection, run.servers):
        who = f", by {other.hand['by']} on {other.hand['host']}" if other.hand else ""
        raise Waiting(
            f"{other.id} is at work on {', '.join(other.servers)}{who}",
            f"wait for it: amc run show {other.id}",
        )


def _require_own(run: Run, token: str) -> None:
    if not run.hand or run.hand.get("token", "") != token:
        raise UsageError(f"{run.id} is no run by hand of yours", "use the id that the gate gave")


def _longer(beats: list[list[str]], now: datetime) -> list[list[str]]:
    """A beat more. Who was heard of within SILENT_SECONDS has worked without a break; no time goes back."""
    if not beats:
        return [[now.isoformat()] * 2]
    last = datetime.fromisoformat(beats[-1][1])
    if now - last > timedelta(seconds=SILENT_SECONDS):
        return [*beats, [now.isoformat()] * 2]
    return [*beats[:-1], [beats[-1][0], max(last, now).isoformat()]]


def _last(run: Run) -> datetime:
    return datetime.fromisoformat(run.beats[-1][1]) if run.beats else run.ordered_at


def _write_attempt(engine: Engine, run: Run, evidence: Evidence, status: str, ending: Ending) -> None:
    """The files by which a run is judged and its effort counted."""
    with reading(engine) as connection:
        beats = store.get(connection, run.id).beats or []
    attempt = evidence.attempt(1)
    write_json(attempt.claim, {"by_hand": run.hand, "at": run.ordered_at.isoformat()})
    write_json(attempt.effort, beats)
    write_json(
        attempt.result,
        {
            "status": status,
            "rc": None,
            "words": ending.words,
            "servers": {server: dict(counts) for server, counts in ending.recap.items()},
            "started": run.ordered_at.isoformat(),
            "ended": beats[-1][1] if beats else run.ordered_at.isoformat(),
        },
    )


def _judged(evidence: Evidence) -> tuple[Event, str]:
    try:
        return outcome.judge(evidence, Fate.FINISHED, "")
    except ValueError as error:
        return Event.FAIL, f"a report can't be read: {error}"


def _close(settings: Settings, engine: Engine, run: str, event: Event, words: str, *, now: datetime) -> None:
    try:
        outcome.settle(settings, engine, run, event, words, now=now)
    except ImpossibleTransition:  # somebody else has settled it in this moment
        return


def _never(_connection: Connection, run: str, _customer: str) -> None:
    raise AssertionError(f"{run} runs by hand and is not queued")


def evidence_folder(settings: Settings, run: str) -> Path:
    """Where the playbook's roles put the servers' reports, on this machine."""
    return store.evidence(settings, run).reports
