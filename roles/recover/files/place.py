"""Put what was copied in place, the old set aside; each part is done once in a run, however often begun."""

import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import here
import replay

Phase = Callable[[], here.Record]


class Phases:
    """What this run has done, kept in its folder: {"phase": {"at", "seconds", …}}."""

    def __init__(self, run_id: str) -> None:
        self.path = here.RUNS / run_id / "recover-phases.json"
        self.done: dict[str, here.Record] = here.read_json(self.path) or {}

    def once(self, name: str, phase: Phase) -> here.Record:
        """Do it unless it is done; what it found."""
        if name not in self.done:
            print(f"{here.now()} {name}", flush=True)
            began = time.monotonic()
            found = phase()
            self.done[name] = {"at": here.now(), "seconds": round(time.monotonic() - began, 2), **found}
            here.write_json(self.path, self.done)
        return self.done[name]


def place(run_id: str, plan: here.Record, drill: bool) -> here.Record:
    """Everything of the plan; the outcome for the report. FellShort when the replay does."""
    phases = Phases(run_id)
    if plan.get("candidates"):
        wal = here.incoming("wal", run_id)
        phases.once("database set aside", lambda: set_aside(run_id, "database", here.DATA))
        phases.once("database put in place", lambda: put_database(run_id, plan))
        phases.once(
            "database replayed", lambda: replay.replay(plan, wal, lambda line: print(line, flush=True))
        )
        phases.once("database promoted", lambda: replay.promote(drill))
        phases.once("settings cleared", lambda: replay.clear_settings(here.DATA))
    if plan.get("files") and plan["only"] == "attachment":
        phases.once("attachment put in place", lambda: put_attachment(run_id, plan["attachment"]))
    elif plan.get("files"):
        phases.once("files set aside", lambda: set_aside(run_id, "files", here.FILES))
        phases.once("files put in place", lambda: put_files(run_id))
    phases.once("cleaned", lambda: clean(run_id))
    return {"changed": True, "phases": phases.done, "set_aside": noted(run_id)}


def noted(run_id: str) -> list[here.Record]:
    """What this run set aside: {"kind", "from", "to", "there": whether it is there}."""
    note = here.read_json(here.SET_ASIDE / run_id / "set-aside.json") or {"items": []}
    return [{**item, "there": Path(item["to"]).exists()} for item in note["items"]]


def aside_of(run_id: str, kind: str, place_: Path) -> Path:
    """Where it goes: by a rename, so on the file system on which it is."""
    folder = here.SET_ASIDE / run_id
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    if folder.stat().st_dev == place_.parent.stat().st_dev:
        return folder / kind
    return place_.parent / f"amc-set-aside-{run_id}-{kind}"


def set_aside(run_id: str, kind: str, place_: Path) -> here.Record:
    """Rename what is there; noted first, so that a run that was killed in between finds it."""
    to = aside_of(run_id, kind, place_)
    if kind == "database":
        stop_database()
    items = [item for item in noted(run_id) if item["to"] != str(to)]
    items.append({"kind": kind, "from": str(place_), "to": str(to)})
    here.write_json(
        here.SET_ASIDE / run_id / "set-aside.json", {"run": run_id, "at": here.now(), "items": items}
    )
    if place_.exists():
        move(place_, to)
    return {"to": str(to) if to.exists() else None}


def move(from_: Path, to: Path) -> None:
    """Rename; where the file system has no rename of a folder (overlayfs, of a lower layer) copy and remove.

    Begun again after a kill it goes on: `to` gets its name only when it is whole.
    """
    if not to.exists():
        try:
            from_.rename(to)
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        part = to.with_name(to.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        here.run("cp", "--archive", "--reflink=auto", str(from_), str(part), seconds=4 * 3600)
        part.rename(to)
    shutil.rmtree(from_) if from_.is_dir() else from_.unlink()


def stop_database() -> None:
    """Stop PostgreSQL; one that can't be stopped in order, since its files are gone, is killed."""
    if (here.DATA / "postmaster.pid").exists():
        here.run("systemctl", "stop", here.POSTGRESQL, seconds=600)
    elif here.state_of(here.POSTGRESQL) not in ("inactive", "failed"):
        here.run("systemctl", "kill", "--signal=KILL", here.POSTGRESQL)
        here.run("systemctl", "stop", here.POSTGRESQL, seconds=60)


def put_database(run_id: str, plan: here.Record) -> here.Record:
    """The copied base backup becomes the cluster; it replays when PostgreSQL starts."""
    data, wal = here.incoming("data", run_id), here.incoming("wal", run_id)
    if data.exists():
        replay.prepare(data, plan, wal)
        data.chmod(0o700)
        wal.chmod(0o700)
        here.run("chown", "-R", "-h", "postgres:postgres", str(data), str(wal), seconds=3600)
        data.rename(here.DATA)
    return {}


def put_files(run_id: str) -> here.Record:
    """The copied file store becomes M EMS's."""
    copied = here.incoming("files", run_id)
    if copied.exists():
        here.run("chown", "-R", "-h", "mems:mems", str(copied), seconds=3600)
        here.run("chmod", "-R", "u=rwX,g=rX,o=", str(copied), seconds=3600)
        copied.chmod(0o750)
        copied.rename(here.FILES)
    return {}


def put_attachment(run_id: str, name: str) -> here.Record:
    """One file back into the store; the one it replaces is set aside."""
    copied, target = here.incoming("files", run_id) / name, here.FILES / name
    if not copied.exists():
        return {}
    set_aside(run_id, "attachment", target) if target.exists() else None
    missing = [folder for folder in [target.parent, *target.parent.parents] if not folder.exists()]
    target.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
    for path in [copied, *missing]:
        shutil.chown(path, "mems", "mems")
    copied.rename(target)
    return {"path": str(target)}


def clean(run_id: str) -> here.Record:
    """Remove what was copied and not used up."""
    for kind in ("data", "files"):
        shutil.rmtree(here.incoming(kind, run_id).parent, ignore_errors=True)
    return {}


def put_back(run_id: str, of_run: str) -> here.Record:
    """What run `of_run` set aside comes back; what is there now is set aside as this run's.

    Of a run that stopped before it set anything aside, this starts again what was there all the time.
    """
    items = noted(of_run)
    phases = Phases(run_id)
    if not phases.done and not any(item["there"] for item in items) and Phases(of_run).done:
        raise here.Trouble(f"run {of_run} set nothing aside that is still there, see {here.SET_ASIDE}")
    for item in items:
        phases.once(f"{item['kind']} set aside", lambda i=item: set_aside(run_id, i["kind"], Path(i["from"])))  # type: ignore[misc]
        phases.once(f"{item['kind']} put back", lambda i=item: _rename_back(i))  # type: ignore[misc]
    found: here.Record = {}
    if not items or any(item["kind"] == "database" for item in items):
        found = phases.once("database started", start_old)
    return {"changed": True, "phases": phases.done, "set_aside": noted(run_id), "started": found}


def _rename_back(item: here.Record) -> here.Record:
    if Path(item["to"]).exists():
        move(Path(item["to"]), Path(item["from"]))
    return {}


def start_old() -> here.Record:
    """PostgreSQL on the cluster that was put back; its timeline."""
    if here.state_of(here.POSTGRESQL) != "active":
        here.run("systemctl", "reset-failed", here.POSTGRESQL)
        here.run("systemctl", "start", here.POSTGRESQL, seconds=3600)
    until = time.monotonic() + 600
    while time.monotonic() < until:
        try:
            return {
                "timeline": int(here.psql("SELECT timeline_id FROM pg_control_checkpoint()")),
                "branched": "",
            }
        except here.Trouble as trouble:
            words = str(trouble)
            time.sleep(0.2)
    raise here.Trouble(f"PostgreSQL on the cluster that was put back does not answer: {words}")


def main(argv: list[str]) -> int:
    """What the unit executes: `place.py RUN drill|real`, the plan in the run's folder."""
    run_id, kind = argv
    plan = here.read_json(here.RUNS / run_id / "recover-plan.json")
    try:
        if plan["put_back"]:
            outcome = put_back(run_id, plan["put_back"])
        else:
            outcome = place(run_id, plan, kind == "drill")
    except replay.FellShort as short:
        outcome = {
            "changed": True,
            "problem": str(short),
            "reached": short.reached,
            "set_aside": noted(run_id),
        }
        received = (plan.get("received") or {}).get("time")
        outcome["lost_seconds"] = here.seconds_between(short.reached.get("time"), received)
    except (here.Trouble, OSError) as trouble:
        outcome = {"changed": True, "problem": str(trouble), "set_aside": noted(run_id)}
    Path(os.environ["AMC_OUTCOME"]).write_text(json.dumps(outcome))
    if "problem" in outcome:
        print(outcome["problem"], flush=True)
    return 1 if "problem" in outcome else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
