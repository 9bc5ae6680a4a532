"""The report of a recovery, recover.json: what came back, what was lost, what is left to do.

from_backup, fell_back_from   the base backup, and those before it that were not whole: {"id", "words"}
received, reached      {"lsn", "time"}: the end of what the backup server had, and where replay ended
lost_seconds           0.0 when all that was received is here; null for an earlier moment: see lost_commits
stopped_in_order_at    where the database ended when it could still be stopped: equal to received.lsn, and
                       not even a moment is lost
missing_attachments    what the database names and the file store lacks; null when the profile can't tell
set_aside              {"kind", "from", "to"}: comes back by recover_put_back
protection             the server's when this was written: unprotected until the next base backup
unit                   the remote work: {"name", "started", "ended", "attempts"}
rto_seconds            from the run's begin to M EMS answering
finished               nothing is left to do
"""

import json
from typing import Any

import here
import place

PLAN = ("only", "attachment", "put_back", "files", "bytes", "words", "received", "lost_commits")


def keep(run_id: str, facts: here.Record) -> here.Record:
    """Write it when it says something new; `facts` of the controller and the backup server, see make()."""
    path = here.RUNS / run_id / "recover.json"
    made = make(run_id, facts)
    changed = here.read_json(path) != made
    if changed:
        here.write_json(path, made)
    return {"changed": changed, "report": made}


def make(run_id: str, facts: here.Record) -> here.Record:
    """From what lies in the run's folder and `facts`: server, source, drill, target, finished, problems,
    protection, and `send`, the backup server's state of the copy.
    """
    folder = here.RUNS / run_id
    known: dict[str, Any] = {
        name: here.read_json(folder / f"recover-{name}.json") or {}
        for name in ("begun", "plan", "halt", "place", "answered")
    }
    sent = facts.pop("send") or {}
    copied, outcome = sent.get("outcome") or {}, known["place"].get("outcome") or {}
    phases = outcome.get("phases") or {}
    reached = phases.get("database replayed") or outcome.get("reached") or {}
    began = phases.get("database promoted") or phases.get("database started") or {}
    problem = copied.get("refused") or outcome.get("problem") or ""
    return {
        "activity": "recover",
        "run": run_id,
        **facts,
        **{name: known["plan"].get(name) for name in PLAN},
        "problems": [*facts["problems"], *([problem] if problem else [])],
        "from_backup": copied.get("backup"),
        "fell_back_from": copied.get("fell_back_from", []),
        "reached": {name: reached[name] for name in ("lsn", "time") if name in reached} or None,
        "lost_seconds": reached.get("lost_seconds", outcome.get("lost_seconds")),
        "stopped_in_order_at": known["halt"].get("stopped_at"),
        "from_timeline": known["plan"].get("timeline", known["halt"].get("timeline")),
        "timeline": began.get("timeline"),
        "seconds": {name: phase["seconds"] for name, phase in phases.items()},
        "check": known["answered"].get("check"),
        "missing_attachments": missing_attachments() if facts["finished"] else None,
        "set_aside": [item for item in place.noted(run_id) if item["there"]],
        "unit": unit_of(known["place"], sent),
        "rto_seconds": here.seconds_between(known["begun"].get("at"), known["answered"].get("at")),
    }


def missing_attachments() -> list[str] | None:
    """Files that the database names and the store lacks; None when the profile can't tell."""
    try:
        answer = json.loads(here.run("/usr/local/lib/mems/figures", seconds=900))
    except (here.Trouble, ValueError, OSError):
        return None
    missing = answer.get("missing")
    return list(missing) if isinstance(missing, list) else None


def unit_of(*states: here.Record) -> here.Record | None:
    """The remote work as one: the attempts of both servers' units, in order."""
    attempts = sorted(
        (attempt for state in states for attempt in state.get("attempts", [])),
        key=lambda each: str(each["started"]),
    )
    if not attempts:
        return None
    ends = [attempt["ended"] for attempt in attempts if attempt["ended"]]
    return {
        "name": next(state["unit"] for state in states if state.get("unit")),
        "started": attempts[0]["started"],
        "ended": max(ends) if ends else None,
        "attempts": attempts,
    }
