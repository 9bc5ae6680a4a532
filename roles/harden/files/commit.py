"""Apply a set of files and switches as one, under a net that undoes all of it unless it is confirmed.

    commit.py plan  < set              what would change: {"changes": [...], "pending": bool}; reads only
    commit.py stage --run RUN < set    keep the set for `apply`
    commit.py apply --run RUN          arm, apply, check; undone at once when something breaks here and now
    commit.py confirm --run RUN < proofs     the set stays; refused when it was undone before
    commit.py undo [--why WORDS] [--files-only]
    commit.py status --run RUN         the run's attempts, and whether a set waits

The set: {"seconds", "exempt": [concerns put back to their originals], "sets": [one for each concern:
          {"concern", "files": [see parts.py; of two with one path the later wins],
           "switches": [{"name", "is", "do", "undo": [argv], "stops": [units]}]}]}
Each verb prints one JSON document; exit code 0 good, 1 not, with `words`.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import arming
import parts
import react
import state

Set = dict[str, Any]
Change = dict[str, Any]


def _index() -> dict[str, Any]:
    """What we manage: {"files": {path: {concern, record}}, "switches": {name: switch}}."""
    return state.read(state.ORIGINALS / "index.json") or {"files": {}, "switches": {}}


def _entries(wish: Set) -> dict[str, dict[str, Any]]:
    """Path -> what it should be, with its concern."""
    return {
        entry["path"]: {**entry, "concern": each["concern"]}
        for each in wish["sets"]
        for entry in each.get("files", [])
    }


def plan(wish: Set) -> list[Change]:
    """What differs between the set and the server: each change with what it will be."""
    index, changes, entries = _index(), [], _entries(wish)
    concerns = {each["concern"] for each in wish["sets"]}
    for path, entry in entries.items():
        there = parts.look(Path(path))
        to = parts.wanted(entry, there)
        if to != there:
            changes.append({"path": path, "concern": entry["concern"], "to": to, "name": path})
    for path, managed in index["files"].items():
        dropped = managed["concern"] in concerns and path not in entries
        if managed["concern"] in wish["exempt"] or dropped:
            to = parts.kept(managed["record"])
            if to != parts.look(Path(path)):
                what = f"{path} (as it was before)"
                changes.append({"path": path, "concern": managed["concern"], "to": to, "name": what})
    return changes + _switches(wish, index)


def _switches(wish: Set, index: dict[str, Any]) -> list[Change]:
    changes = [
        {"switch": {**switch, "concern": each["concern"]}, "name": switch["name"], "concern": each["concern"]}
        for each in wish["sets"]
        for switch in each.get("switches", [])
        if react.run(*switch["is"])
    ]
    for name, switch in index["switches"].items():
        if switch["concern"] in wish["exempt"] and not react.run(*switch["is"]):
            back = {**switch, "do": switch["undo"], "undo": switch["do"]}
            changes.append({"switch": back, "name": f"{name} (undone)", "concern": switch["concern"]})
    return changes


def _snapshot(run: str, wish: Set, changes: list[Change]) -> dict[str, Any]:
    """Keep all that an undo needs, then mark that a set waits."""
    shutil.rmtree(state.PENDING, ignore_errors=True)
    (state.PENDING / "files").mkdir(mode=0o700, parents=True)
    files = [change for change in changes if "path" in change]
    records = [
        {
            **parts.keep(Path(change["path"]), state.PENDING / "files" / str(number)),
            "concern": change["concern"],
        }
        for number, change in enumerate(files)
    ]
    contents = {change["path"]: change["to"].content.decode(errors="replace") for change in files}
    pending = {
        "run": run,
        "seconds": wish["seconds"],
        "files": records,
        "folders": [each for change in files for each in parts.missing_folders(Path(change["path"]))],
        "switches": [change["switch"] for change in changes if "switch" in change],
        "before": react.before(contents),
    }
    state.write(state.ARMED, pending)
    return pending


def _carry_out(pending: dict[str, Any], changes: list[Change]) -> str:
    """Put the files, check, throw the switches, let it all take effect. A problem in words."""
    paths = [change["path"] for change in changes if "path" in change]
    for folder in pending["folders"]:
        Path(folder).mkdir(mode=0o755, exist_ok=True)
    for change in changes:
        if "path" in change:
            parts.put(Path(change["path"]), change["to"])
    problem = react.check(paths)
    for switch in pending["switches"] if not problem else []:
        problem = problem or react.run(*switch["do"])
    stopped = {unit for switch in pending["switches"] for unit in switch.get("stops", [])}
    return problem or react.tell(paths, pending["before"]) or react.damage(pending["before"], stopped)


def apply(run: str) -> dict[str, Any]:
    """See the module. What a run left unconfirmed before is undone first."""
    with state.locked():
        if state.ARMED.exists():
            _undo("another run began before it was confirmed")
        wish = state.read(state.RUNS / run / "harden-set.json")
        changes = plan(wish)
        if not changes:
            return {"applied": False, "words": ""}
        record = state.read(state.run_state(run)) or {"attempts": []}
        began, names = time.monotonic(), [change["name"] for change in changes]
        attempt = {"started": state.now(), "ended": None, "outcome": None, "why": "", "changed": names}
        state.write(state.run_state(run), {"attempts": [*record["attempts"], attempt]})
        pending = _snapshot(run, wish, changes)
        try:
            arming.arm(wish["seconds"], wish["seconds"] - int(time.monotonic() - began))
            problem = _carry_out(pending, changes)
        except (OSError, arming.NotArmed, KeyError) as failure:
            problem = str(failure)
        if problem:
            _undo(problem)
        return {"applied": not problem, "words": problem}


def _undo(why: str) -> str:
    """Bring everything back; what could not be, in words. The mark goes last: cut short, it is done again."""
    pending = state.read(state.ARMED)
    _files_back(pending)
    switches = list(reversed(pending["switches"]))
    early = [switch for switch in switches if react.run(*switch["undo"])]
    paths = [record["path"] for record in pending["files"]]
    if any(switch["concern"] == "firewall" for switch in switches):  # stopping it emptied the rules
        paths.append("/etc/nftables.conf")
    words = [react.tell(paths, pending["before"], undo=True), react.start_again(pending["before"])]
    # Early in a boot PostgreSQL was not there yet to be asked.
    words += [react.run(*switch["undo"]) for switch in early]
    left = "; ".join(each for each in words if each)
    noted = state.PENDING / "why"
    why = noted.read_text() if noted.exists() else why
    state.close_attempt(pending["run"], "reverted", why, left=left)
    state.ARMED.unlink()
    arming.disarm()
    return left


def _files_back(pending: dict[str, Any]) -> None:
    for record in reversed(pending["files"]):
        parts.bring_back(record)
    for folder in reversed(pending["folders"]):
        if Path(folder).is_dir() and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def undo(why: str, files_only: bool) -> dict[str, Any]:
    """See the module."""
    with state.locked():
        if not state.ARMED.exists():
            arming.disarm()
            return {"undone": False, "words": ""}
        if files_only:
            (state.PENDING / "why").write_text(why)
            _files_back(state.read(state.ARMED))
            return {"undone": True, "words": ""}
        return {"undone": True, "words": "", "left": _undo(why)}


def confirm(run: str, proofs: list[dict[str, Any]]) -> dict[str, Any]:
    """The set stays, and the originals of what it changed are kept for good."""
    with state.locked():
        pending = state.read(state.ARMED)
        if not pending or pending["run"] != run:
            return {"confirmed": False, "words": "nothing waits to be confirmed: it was undone before"}
        wish, index = state.read(state.RUNS / run / "harden-set.json"), _index()
        for record in pending["files"]:
            _keep_original(index, record, wish)
        for switch in pending["switches"]:
            if switch["concern"] in wish["exempt"]:
                index["switches"].pop(switch["name"], None)
            else:
                index["switches"][switch["name"]] = switch
        state.write(state.ORIGINALS / "index.json", index)
        state.close_attempt(run, "confirmed", "", proofs=proofs)
        state.ARMED.unlink()
        arming.disarm()
        shutil.rmtree(state.PENDING, ignore_errors=True)
        return {"confirmed": True, "words": ""}


def _keep_original(index: dict[str, Any], record: dict[str, Any], wish: Set) -> None:
    path, concern = record["path"], record["concern"]
    if path not in _entries(wish):
        index["files"].pop(path, None)
    elif path not in index["files"]:
        state.ORIGINALS.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy = state.ORIGINALS / path.strip("/").replace("/", "+")
        if record["kind"] == "file":
            shutil.copy2(record["copy"], copy)
        index["files"][path] = {"concern": concern, "record": {**record, "copy": str(copy)}}


def status(run: str) -> dict[str, Any]:
    """The run's attempts, and whether a set waits to be confirmed."""
    record = state.read(state.run_state(run)) or {"attempts": []}
    return {**record, "pending": state.ARMED.exists(), "words": ""}


def answer(asked: argparse.Namespace) -> dict[str, Any]:
    """The document that the verb prints."""
    if asked.verb == "plan":
        found = [{key: change[key] for key in ("name", "concern")} for change in plan(json.load(sys.stdin))]
        return {"changes": found, "pending": state.ARMED.exists(), "words": ""}
    if asked.verb == "stage":
        state.write(state.RUNS / asked.run / "harden-set.json", json.load(sys.stdin))
        return {"words": ""}
    if asked.verb == "apply":
        return apply(asked.run)
    if asked.verb == "confirm":
        return confirm(asked.run, json.load(sys.stdin))
    if asked.verb == "undo":
        return undo(asked.why, asked.files_only)
    return status(asked.run)


def main() -> int:
    """The command line."""
    words = argparse.ArgumentParser()
    words.add_argument("verb", choices=["plan", "stage", "apply", "confirm", "undo", "status"])
    words.add_argument("--run", default="by-hand")
    words.add_argument("--why", default="asked for by hand")
    words.add_argument("--files-only", action="store_true")
    try:
        said = answer(words.parse_args())
    except (state.Busy, KeyError) as problem:
        said = {"words": str(problem)}
    print(json.dumps(said))
    return 1 if said["words"] else 0


if __name__ == "__main__":
    sys.exit(main())
