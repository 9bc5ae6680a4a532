"""A mark: a named moment whose business figures are known, to compare a recovery with.

    mark.py --server NAME [--tries 5]

Asks M EMS for its figures, keeps the file store, sets a restore point in PostgreSQL, asks again: when both
are equal, they are the figures at the restore point, and the record goes to marks.jsonl:
{"at", "restore_point", "timeline", "lsn", "figures", "files_snapshot"}. It is printed, with `ok` and
`problems`; exit 1 when M EMS was written to during every try, or something does not answer.
"""

import argparse
import json
import re
import sys
from datetime import UTC, datetime
from typing import Any

import files
import pair as pairs

TRIES = 5
FIGURES_BYTES = 1_000_000  # an answer from over there is not trusted to be small


def attempt(pair: pairs.Pair, before: Any) -> tuple[pairs.Record, Any]:
    """Keep the files, set a restore point, ask again: the record that would be, and the figures after."""
    kept = files.files(pair, "store")
    if not kept["ok"]:
        raise pairs.Trouble("; ".join(kept["problems"]))
    at = datetime.now(UTC)
    name = f"amc-{at:%Y%m%dT%H%M%S%f}"
    answer = pairs.query(
        pair, f"SELECT lsn, substr(pg_walfile_name(lsn), 1, 8) FROM pg_create_restore_point('{name}') AS lsn"
    )
    found = re.fullmatch(r"([0-9A-F]+/[0-9A-F]+)\|([0-9A-F]{8})", answer)
    if not found:
        raise pairs.Trouble(f"PostgreSQL of {pair.server} answered {answer[:80]!r} to a restore point")
    record = {
        "at": at.isoformat(timespec="milliseconds"),
        "restore_point": name,
        "timeline": int(found[2], 16),
        "lsn": found[1],
        "figures": before,
        "files_snapshot": kept["snapshot"],
    }
    return record, figures(pair)


def figures(pair: pairs.Pair) -> Any:
    """What M EMS says of itself."""
    answer = pairs.ask(pair, "figures")
    if not isinstance(answer, dict) or len(json.dumps(answer)) > FIGURES_BYTES:
        raise pairs.Trouble(f"the figures of {pair.server} are no figures: {str(answer)[:80]!r}")
    return answer


def mark(pair: pairs.Pair, tries: int = TRIES) -> pairs.Record:
    """A mark, appended to marks.jsonl. Trouble when there can't be one."""
    before = figures(pair)
    for _ in range(tries):
        record, after = attempt(pair, before)
        if before == after:
            pairs.append_line(pair.folder / "marks.jsonl", record)
            return record
        before = after
    raise pairs.Trouble(
        f"M EMS on {pair.server} was written to during each of {tries} tries, so its figures at one moment"
        " are not known: mark again when it is quieter"
    )


def main() -> int:
    """Mark and print."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    words.add_argument("--tries", type=int, default=TRIES)
    asked = words.parse_args()
    pairs.as_barman()
    try:
        answer = {**mark(pairs.read(asked.server), asked.tries), "ok": True, "problems": []}
    except pairs.Trouble as trouble:
        answer = {"ok": False, "problems": [str(trouble)]}
    print(json.dumps({"server": asked.server, **answer}))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
