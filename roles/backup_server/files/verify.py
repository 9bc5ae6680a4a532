"""Is everything here that a recovery would need, and is it whole? Finds before it is needed what is not.

    verify.py --server NAME [--full]

Every night, after the backup. What was proven is remembered and read again within a week, a seventh each
night; --full reads all of it now. Prints {"server", "at", "full", "seconds", "ok", "findings", "notes",
"problems"}: findings and notes are {"what", "words", "mend", "backup"}, `problems` the words of the findings.
Exit 0 without findings. The same goes to verification.json; base backups that can't be restored go to
bad_backups.json, {id: words}, and out of it when they are good again.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pair as pairs
import repository
import slot as slots
import verify_files
import verify_wal
import wal
from finding import Finding

SKEW_SECONDS = 2.0
OLD_BACKUP = timedelta(hours=26)
VERIFY_SECONDS = 12 * 3600
AGAIN = "systemctl start amc-backup-nightly@{server}"


class Memory:
    """verified.json: what was proven, and which bad backups are ours."""

    def __init__(self, pair: pairs.Pair) -> None:
        self.path = pair.folder / "verified.json"
        kept: pairs.Record = pairs.read_json(self.path) or {}
        self.wal: wal.Proven = kept.get("wal", {})
        self.backups: dict[str, str] = kept.get("backups", {})  # id -> when it was proven
        self.marked: list[str] = kept.get("marked", [])

    def keep(self) -> None:
        """Write it down."""
        pairs.write_json(self.path, {"wal": self.wal, "backups": self.backups, "marked": self.marked})


def source(pair: pairs.Pair) -> Iterator[Finding]:
    """The M EMS server's side: the place in its stream, and its clock."""
    slot = slots.read(pair)
    if words := slots.broken(slot):
        yield Finding("slot", words, f"the next backup repairs it: {AGAIN.format(server=pair.server)}")
    elif words := slots.alarm(slot):
        yield Finding("slot", words, f"systemctl status barman-wal@{pair.server}")
    asked = time.time()
    theirs = float(pairs.query(pair, "SELECT extract(epoch FROM clock_timestamp())"))
    answered = time.time()
    skew = theirs - (asked + answered) / 2
    if abs(skew) > SKEW_SECONDS + (answered - asked) / 2:
        word = "ahead of" if skew > 0 else "behind"
        yield Finding(
            "clock",
            f"the clock of {pair.server} is {abs(skew):.1f} s {word} this server's: a recovery"
            " to a time would miss it by that",
            "see on both servers: timedatectl timesync-status",
        )


def barman_check(pair: pairs.Pair) -> Iterator[Finding]:
    """Barman's own look at its settings, connections and backups."""
    done = subprocess.run(
        [pairs.BARMAN, "check", pair.server],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd="/",
    )
    failed = [line.strip() for line in done.stdout.splitlines() if "FAILED" in line]
    for line in failed or ([done.stderr.strip()[-300:]] if done.returncode else []):
        yield Finding(
            "barman",
            f"barman check says {line}",
            f"runuser -u barman -- barman check {pair.server}; {AGAIN.format(server=pair.server)}",
        )


def backups(pair: pairs.Pair, memory: Memory, full: bool, moment: datetime) -> Iterator[Finding]:
    """Each base backup: whole? Its files as they were written (the manifest's checksums)?"""
    again = AGAIN.format(server=pair.server)
    listed = json.loads(pairs.barman("-f", "json", "list-backups", pair.server))[pair.server]
    done = [each for each in listed if each["status"] == "DONE"]
    yield from halves(pair, [each for each in listed if each["status"] != "DONE"])
    if not done:
        yield Finding("backups", "there is no whole base backup", again)
        return
    ended = max(datetime.fromtimestamp(int(each["end_time_timestamp"]), UTC) for each in done)
    if moment - ended > OLD_BACKUP:
        yield Finding(
            "backups",
            f"the newest base backup is of {ended.isoformat()}",
            f"systemctl list-timers amc-backup-nightly@{pair.server}.timer; {again}",
        )
    week_ago = (moment - timedelta(days=7)).isoformat()
    for each in done:
        name = each["backup_id"]
        if not full and memory.backups.get(name, "") > week_ago:
            continue
        memory.backups.pop(name, None)
        try:
            pairs.barman("verify-backup", pair.server, name, seconds=VERIFY_SECONDS)
            memory.backups[name] = moment.isoformat()
        except pairs.Trouble as trouble:
            yield Finding(
                "base", f"the base backup {name} is damaged: {trouble}", f"make a new one: {again}", name
            )


def halves(pair: pairs.Pair, listed: list[pairs.Record]) -> Iterator[Finding]:
    """Backups that were begun and not ended, unless one is at work."""
    try:
        with repository.lock(pair, "backing-up", 0):
            for each in listed:
                yield Finding(
                    "half",
                    f"the base backup {each['backup_id']} is only half ({each['status']})",
                    f"the next backup deletes it: {AGAIN.format(server=pair.server)}",
                    each["backup_id"],
                )
    except repository.Busy:
        return


def archive(pair: pairs.Pair, memory: Memory, turn: int | None) -> Iterator[Finding]:
    """The WAL: nothing missing, all of it readable."""
    found = verify_wal.read(pair.catalogue, pair.folder / "ends")
    infos = [
        f"id={path.name.removesuffix('-backup.info')}\n{path.read_text(errors='replace')}"
        for path in (pair.catalogue / "meta").glob("*-backup.info")
    ]
    whole = verify_wal.of_catalogue(infos, found.size)
    again = AGAIN.format(server=pair.server)
    yield from verify_wal.missing(found, whole, pairs.read_lines(pair.folder / "gaps.jsonl"), again)
    yield from verify_wal.lost_histories(found)
    damaged, memory.wal = verify_wal.unreadable(found, memory.wal, turn)
    yield from verify_wal.damage(damaged, whole, found.size, again)


def disks(pair: pairs.Pair) -> Iterator[Finding]:
    """Room for what is still to come."""
    for folder in (pair.catalogue, pair.folder, pair.folder / "restic"):
        if folder.exists() and (words := repository.lacks_room(folder)):
            yield Finding("disk", words, "make the disk larger, or shorten the retention in the contract")
            return


def gather(pair: pairs.Pair, full: bool, moment: datetime) -> list[Finding]:
    """Every part; one that can't be done is a finding too, and keeps no other from being done."""
    memory = Memory(pair)
    turn = None if full else moment.toordinal() % 7
    parts: dict[str, Callable[[], Iterable[Finding]]] = {
        "source": lambda: source(pair),
        "barman": lambda: barman_check(pair),
        "backups": lambda: backups(pair, memory, full, moment),
        "wal": lambda: archive(pair, memory, turn),
        "files": lambda: verify_files.pulls(pair, moment),
        "repository": lambda: verify_files.check(pair, turn),
        "marks": lambda: verify_files.marks(pair, moment, full),
        "disk": lambda: disks(pair),
    }
    found: list[Finding] = []
    for what, part in parts.items():
        try:
            found += part()
        except (pairs.Trouble, OSError, ValueError, subprocess.TimeoutExpired) as trouble:
            found.append(Finding(what, f"could not be verified: {trouble}", "mend that, then verify again"))
    mark_bad(pair, memory, found)
    memory.keep()
    return found


def mark_bad(pair: pairs.Pair, memory: Memory, found: list[Finding]) -> None:
    """bad_backups.json: ours as found now; what others put there stays while the backup is there."""
    path = pair.folder / "bad_backups.json"
    before: dict[str, str] = pairs.read_json(path) or {}
    here = {each.name for each in (pair.catalogue / "base").glob("*")}
    others = {name: words for name, words in before.items() if name not in memory.marked and name in here}
    ours = {each.backup: each.words for each in found if each.backup}
    memory.marked = sorted(ours)
    if {**others, **ours} != before:
        pairs.write_json(path, {**others, **ours})


def main() -> int:
    """Verify, write down, print."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    words.add_argument("--full", action="store_true", help="read everything, not only what is new or due")
    asked = words.parse_args()
    pairs.as_barman()
    began, moment = time.monotonic(), datetime.now(UTC)
    answer: pairs.Record = {
        "server": asked.server,
        "at": moment.isoformat(timespec="seconds"),
        "full": asked.full,
    }
    try:
        pair = pairs.read(asked.server)
        with repository.lock(pair, "verifying", 3600):
            found = gather(pair, asked.full, moment)
            findings = [each.record() for each in found if not each.note]
            answer |= {
                "seconds": round(time.monotonic() - began, 1),
                "ok": not findings,
                "findings": findings,
            }
            answer["notes"] = [each.record() for each in found if each.note]
            answer["problems"] = [each["words"] for each in findings]
            pairs.write_json(pair.folder / "verification.json", answer)
    except pairs.Trouble as trouble:
        answer |= {"ok": False, "findings": [], "notes": [], "problems": [str(trouble)]}
    print(json.dumps(answer))
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
