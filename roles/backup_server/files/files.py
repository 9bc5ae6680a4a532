"""Pull the file store (or the configuration) of an M EMS server and keep it as a snapshot.

    files.py --server NAME [--what store|config] [--wait SECONDS] [--checksum] [--patience SECONDS]
    files.py --server NAME --thin

Prints {"server", "what", "snapshot", "pulled", "files", "bytes", "new", "altered", "seconds", "ok",
"problems"}; exit 0 when ok. `snapshot` is the id of the one that holds the folder as it was at `pulled`, the
moment when the pull began (UTC): a new one, or the last one where nothing changed since. `files` and `bytes`
count the mirror.

--checksum compares contents, not sizes and times. What is already being pulled is waited for --wait seconds;
then it is no problem, and `skipped` says so. A pull that failed ends with 1; with --patience it ends with 75
(EX_TEMPFAIL) while the last whole one is no older than that.
--thin lets snapshots go that retention no longer wants, see retention.py, and prints {"kept", "forgotten"}.
"""

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pair as pairs
import pull
import repository
import retention

WAIT_SECONDS = 600
CLEAN, KEPT = "clean", "kept"
SAID_ALTERED = 20  # names in the answer; all of them are counted


def state_file(pair: pairs.Pair) -> Path:
    """By `store` and `config`: {"snapshot", "pulled", "files", "bytes"} of the last whole pull."""
    return pair.folder / "files.json"


def files(pair: pairs.Pair, what: str, wait: float = WAIT_SECONDS, checksum: bool = False) -> pairs.Record:
    """The answer that is printed. repository.Busy when another program pulls the same server for too long.

    The marker `<what>.dirty` stands from before the mirror can change until a snapshot holds the change, so a
    crash between the two is made good by the next pull. A pull that broke off leaves one partial snapshot
    (the marker then says KEPT): a server that died meanwhile may have sent its last files with it.
    """
    started = time.monotonic()
    marker = pair.folder / f"{what}.dirty"
    with repository.lock(pair, "pulling", wait):
        began = datetime.now(UTC)
        known = (pairs.read_json(state_file(pair)) or {}).get(what) or {}
        was = marker.read_text() if marker.exists() else CLEAN if known else ""
        marker.write_text("")
        pulled = pull.pull(pair, what, checksum)
        problems = [pulled.problem] if pulled.problem else []
        _note_altered(pair, what, pulled.altered, began)
        if pulled.changed or was not in ((CLEAN, KEPT) if problems else (CLEAN,)):
            try:
                with repository.lock(pair, "repository", wait):
                    found = _keep(pair, what, began, bool(problems))
                known, was = (known, KEPT) if problems else (found, CLEAN)
            except pairs.Trouble as trouble:
                problems.append(str(trouble))
                was = ""
        marker.write_text(was)
        if not problems:
            known = {**known, "pulled": began.isoformat()}
            pairs.write_json(state_file(pair), {**(pairs.read_json(state_file(pair)) or {}), what: known})
        if was == CLEAN:
            marker.unlink()
    answer: pairs.Record = {"server": pair.server, "what": what, "snapshot": None, "pulled": None, **known}
    answer |= {"new": pulled.new, "altered": len(pulled.altered)}
    answer |= {"altered_names": pulled.altered[:SAID_ALTERED]} if pulled.altered else {}
    answer["seconds"] = round(time.monotonic() - started, 2)
    return answer | {"ok": not problems, "problems": problems}


def _keep(pair: pairs.Pair, what: str, began: datetime, partial: bool) -> pairs.Record:
    """A snapshot of the mirror; what files.json notes of it. Whole ones make partial ones needless."""
    repository.ready(pair)
    snapshot, summary = repository.take(pair, what, began, partial)
    broken = pair.folder / f"{what}.partial"
    if partial:
        pairs.append_line(broken, {"snapshot": snapshot})
    elif broken.exists():
        there = {path.name for path in (pair.folder / "restic" / "snapshots").iterdir()}
        partials = {each["snapshot"] for each in pairs.read_lines(broken)}
        repository.forget(pair, sorted(there & partials), prune=False)
        broken.unlink()
    return {
        "snapshot": snapshot,
        "files": summary["total_files_processed"],
        "bytes": summary["total_bytes_processed"],
    }


def _note_altered(pair: pairs.Pair, what: str, names: list[str], at: datetime) -> None:
    """Files of the store are written once: one that was written again is noted for the verification."""
    if what == "store" and names:
        record = {"at": at.isoformat(timespec="seconds"), "count": len(names), "names": names[:SAID_ALTERED]}
        pairs.append_line(pair.folder / "altered.jsonl", record)


def thin(pair: pairs.Pair) -> pairs.Record:
    """Forget what retention.choose does not keep, and the data that only that held."""
    with repository.lock(pair, "repository", WAIT_SECONDS):
        repository.ready(pair)
        there = repository.snapshots(pair)
        backups = pairs.read_lines(pair.folder / "backups.jsonl")
        marks = pairs.read_lines(pair.folder / "marks.jsonl")
        days = int(pair.known["retention_days"])
        going = retention.choose(
            there, datetime.now(UTC), days, retention.wanted(backups, marks, datetime.now(UTC), days)
        )
        repository.forget(pair, going, prune=True)
    return {
        "server": pair.server,
        "kept": len(there) - len(going),
        "forgotten": len(going),
        "ok": True,
        "problems": [],
    }


def failed(pair: pairs.Pair, what: str, patience: float) -> int:
    """The exit code of a pull that failed."""
    known = (pairs.read_json(state_file(pair)) or {}).get(what)
    if not known:
        return 1
    age = datetime.now(UTC) - datetime.fromisoformat(known["pulled"])
    return os.EX_TEMPFAIL if age <= timedelta(seconds=patience) else 1


def main() -> int:
    """Do it and print."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    words.add_argument("--what", choices=["store", "config"], default="store")
    words.add_argument(
        "--wait", type=float, default=WAIT_SECONDS, help="seconds for a pull that is under way"
    )
    words.add_argument("--checksum", action="store_true", help="compare contents: for a mirror that rotted")
    words.add_argument("--patience", type=float, default=0, help="seconds without a whole pull")
    words.add_argument("--thin", action="store_true", help="let old snapshots go")
    asked = words.parse_args()
    pairs.as_barman()
    try:
        pair = pairs.read(asked.server)
        answer = thin(pair) if asked.thin else files(pair, asked.what, asked.wait, asked.checksum)
    except repository.Busy as busy:
        answer = {"server": asked.server, "ok": True, "problems": [], "skipped": str(busy)}
    except pairs.Trouble as trouble:
        answer = {"server": asked.server, "ok": False, "problems": [str(trouble)]}
    print(json.dumps(answer))
    return 0 if answer["ok"] else failed(pairs.Pair(asked.server, {}), asked.what, asked.patience)


if __name__ == "__main__":
    sys.exit(main())
