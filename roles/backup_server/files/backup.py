"""One whole backup of an M EMS server, now.

    backup.py --server NAME [--run RUN]

Prints the record that it appends to backups.jsonl, with `ok` and `problems`; exit 0 when ok.
"""

import argparse
import json
import sys
import time

import pair as pairs


def base_backup(pair: pairs.Pair) -> pairs.Record:
    """Barman's part: archive what was received, a base backup, and the WAL that makes it whole."""
    pairs.barman("switch-wal", "--force", "--archive", "--archive-timeout", "60", pair.server)
    pairs.barman("backup", "--wait", "--wait-timeout", "300", pair.server, seconds=12 * 3600)
    shown = json.loads(pairs.barman("-f", "json", "show-backup", pair.server, "last"))
    return dict(shown[pair.server])


def main() -> int:
    """Back up, append, print."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    words.add_argument("--run", default="")
    asked = words.parse_args()
    pairs.as_barman()
    record: pairs.Record = {"server": asked.server, "run": asked.run, "started": pairs.now(), "problems": []}
    began = time.monotonic()
    try:
        pair = pairs.read(asked.server)
        record["id"] = base_backup(pair)["backup_id"]
        record |= {"ended": pairs.now(), "seconds": round(time.monotonic() - began, 1), "ok": True}
        pairs.append_line(pair.folder / "backups.jsonl", record)
    except pairs.Trouble as trouble:
        record |= {"ok": False, "problems": [str(trouble)]}
    print(json.dumps(record))
    return 0 if record["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
