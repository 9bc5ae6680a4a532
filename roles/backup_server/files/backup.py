"""One whole backup of an M EMS server, now.

    backup.py --server NAME [--run RUN]

1. What is received: a lost place is repaired, see slot.py. 2. Halves of earlier backups go. 3. Files and
configuration, see files.py. 4. Barman's base backup and the WAL that makes it whole. 5. A mark, see mark.py:
business figures to compare a recovery with.

Prints the record that it appends to backups.jsonl: {"id": Barman's, null without a base backup, "run",
"started", "ended", "seconds", "bytes", "wal_lag_bytes", "timeline", "begin_wal", "mark", "files_snapshot",
"config_snapshot", "gap", "ok", "problems", "notes"}. `ok` when parts 1 to 4 went well, and exit 0 then; a
mark that could not be set, since M EMS was written to all the time, is a note. The server is protected from
when its base backup is whole. A second one waits for the first.
"""

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import pair as pairs
import protection
import repository
import slot as slots

HOURS = 3600
ANSWERS = ("server", "ok", "problems")  # about the program, not about the moment
WHOLE = ("DONE", "WAITING_FOR_WALS")


def halves(pair: pairs.Pair) -> None:
    """Delete what backups that were killed or failed left; no other backup runs, we hold the lock."""
    listed = json.loads(pairs.barman("-f", "json", "list-backups", pair.server))[pair.server]
    for each in listed:
        if each["status"] not in WHOLE:
            pairs.barman("delete", pair.server, each["backup_id"])


def base_backup(pair: pairs.Pair) -> pairs.Record:
    """Barman's part: prove that WAL arrives, a base backup, and wait for the WAL that makes it whole."""
    slots.close_segment(pair)
    pairs.barman("backup", "--wait", "--wait-timeout", "300", pair.server, seconds=12 * HOURS)
    shown = json.loads(pairs.barman("-f", "json", "show-backup", pair.server, "last"))[pair.server]
    about = shown["base_backup_information"]
    if shown["status"] != "DONE":
        raise pairs.Trouble(f"the WAL of the base backup {shown['backup_id']} did not come within 300 s")
    return {
        "id": shown["backup_id"],
        "bytes": shown["cluster_size_bytes"],
        "timeline": about["timeline"],
        "begin_wal": about["begin_wal"],
    }


def program(name: str, *words: str) -> pairs.Record:
    """What another program here prints; Trouble with its problems when it is not content."""
    command = [sys.executable, "-B", str(pairs.PROGRAMS / f"{name}.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    try:
        answer: pairs.Record = json.loads(done.stdout)
    except ValueError:
        raise pairs.Trouble(f"{name}: {(done.stderr or done.stdout).strip()[-300:]}") from None
    if done.returncode != 0:
        raise pairs.Trouble(f"{name}: {'; '.join(answer.get('problems') or ['it failed'])}")
    return answer


class Backup:
    """The record as it grows, and what went wrong on the way."""

    def __init__(self, pair: pairs.Pair, run: str) -> None:
        self.pair = pair
        self.record: pairs.Record = {"id": None, "run": run, "started": pairs.now()}
        self.record |= {"problems": [], "notes": []}

    def attempt(self, part: Any, *words: Any, kept: str = "problems") -> Any:
        """What a part gives; None, and its words among the `kept`, when it fails."""
        try:
            return part(*words)
        except pairs.Trouble as trouble:
            self.record[kept].append(str(trouble))
            return None

    def make(self) -> None:
        """All parts; one that fails does not keep the others from being tried."""
        pair, record = self.pair, self.record
        server = f"--server={pair.server}"
        record["gap"] = self.attempt(slots.ensure, pair)
        self.attempt(halves, pair)
        for what, key in (("store", "files_snapshot"), ("config", "config_snapshot")):
            answer = self.attempt(program, "files", server, f"--what={what}")
            record[key] = answer and answer["snapshot"]
        record |= self.attempt(base_backup, pair) or {}
        slot, _ = protection.look(pair)
        record["wal_lag_bytes"] = slot.behind if slot else None
        mark = self.attempt(program, "mark", server, kept="notes") or {}
        record["mark"] = {key: value for key, value in mark.items() if key not in ANSWERS} or None


def back_up(pair: pairs.Pair, run: str) -> pairs.Record:
    """A backup, kept in backups.jsonl; the record. Trouble when another one does not end."""
    with repository.lock(pair, "backing-up", 12 * HOURS):
        backup, began = Backup(pair, run), time.monotonic()
        backup.make()
        record = backup.record
        record |= {"ended": pairs.now(), "seconds": round(time.monotonic() - began, 1)}
        record["ok"] = not record["problems"]
        pairs.append_line(pair.folder / "backups.jsonl", record)
        slot, _ = protection.look(pair)
        if record["id"] and slot is not None and slot.streaming:
            pairs.write_json(pair.folder / "watch.json", {"seen": pairs.now()})
            protection.backed_up(pair)
    return record


def main() -> int:
    """Back up, print."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    words.add_argument("--run", default="")
    asked = words.parse_args()
    pairs.as_barman()
    try:
        record = back_up(pairs.read(asked.server), asked.run)
    except pairs.Trouble as trouble:
        record = {"id": None, "ok": False, "problems": [str(trouble)]}
    print(json.dumps(record))
    return 0 if record["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
