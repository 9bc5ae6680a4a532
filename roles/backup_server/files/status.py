"""For the engineer on call: is an M EMS server protected, and by what?

    status.py [--server NAME] [--json]

All servers, or one. Only reads. With --json one document: {"servers": [...]}, or the one server's own. Exit 0
when every server shown is protected and nothing needs a look.
"""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta

import pair as pairs
import protection
import slot as slots

NIGHT = timedelta(hours=26)
REPAIR = (
    "repair: systemctl start amc-backup-nightly@{server} (new place, new backup; the gap stays remembered)"
)


def look(server: str) -> pairs.Record:
    """Everything that is known of one server's protection; `problems` need somebody's look."""
    pair = pairs.read(server)
    slot, silent = protection.look(pair)
    why = protection.judge(pair, slot)
    kept: pairs.Record = pairs.read_json(pair.folder / "protection.json") or {}
    if kept.get("state") == "unprotected" and kept.get("by") != "watch":
        why = [kept["why"], *why]
    backups = protection.records(pair)
    newest = backups[-1] if backups else None
    verified = pairs.read_json(pair.folder / "verification.json")
    proven = pairs.read_json(pair.folder / "proven.json")
    state = "unprotected" if why else "protected"
    return {
        "server": server,
        "customer": pair.known["customer"],
        "state": state,
        "since": kept.get("since") if kept.get("state") == state else pairs.now(),
        "why": why,
        "newest": newest,
        "age_seconds": _age(newest["ended"]) if newest else None,
        "wal_lag_bytes": slot.behind if slot else None,
        "wal_status": slot.status if slot else None,
        "receiving": bool(slot and slot.streaming),
        "proven": proven,
        "verification": verified,
        "gaps": protection.gaps(pair),
        "problems": problems(pair, slot, silent=silent, newest=newest, proven=proven, verified=verified),
    }


def problems(
    pair: pairs.Pair,
    slot: slots.Slot | None,
    *,
    silent: str,
    newest: pairs.Record | None,
    proven: pairs.Record | None,
    verified: pairs.Record | None,
) -> list[str]:
    """What needs a look though it may not make the server unprotected, each with its mend."""
    found = [silent] if silent else []
    if slot is not None and slots.broken(slot):
        found.append(f"{slots.broken(slot)}; {REPAIR.format(server=pair.server)}")
    elif slot is not None and slots.alarm(slot):
        found.append(f"{slots.alarm(slot)}; see systemctl status barman-wal@{pair.server}")
    if newest and _age(newest["ended"]) > NIGHT.total_seconds():
        found.append(f"no backup for more than a day; see journalctl -u amc-backup-nightly@{pair.server}")
    if newest and newest["problems"]:
        found.append(f"the newest backup was not all well: {'; '.join(newest['problems'])}")
    days = pair.known["proven_within_days"]
    if proven is None or _age(proven["at"]) > days * 86400:
        found.append(f"no drill has proven a backup within {days} days; run amc run start drill")
    for finding in (verified or {}).get("findings", []):
        found.append(f"{finding['words']}; {finding['mend']}")
    return found


def text(seen: pairs.Record) -> str:
    """The same for people."""
    newest, proven, verified = seen["newest"], seen["proven"], seen["verification"]
    lines = [f"{seen['server']} ({seen['customer']}): {seen['state'].upper()} since {seen['since']}"]
    lines += [f"  because   {reason}" for reason in seen["why"]]
    if newest:
        size, took = newest["bytes"] >> 20, newest["seconds"]
        lines.append(f"  backup    {newest['id']}, {_ago(newest['ended'])}, {size} MiB in {took:.0f} s")
    else:
        lines.append("  backup    none")
    receiving = "received as they are committed" if seen["receiving"] else "NOT received"
    behind = "unknown" if seen["wal_lag_bytes"] is None else f"{seen['wal_lag_bytes']} bytes"
    lines.append(f"  changes   {receiving}, behind by {behind}, slot {seen['wal_status'] or 'unknown'}")
    if proven:
        lines.append(
            f"  proven    {proven['backup_id']}, {_ago(proven['at'])}, back in {proven['rto_seconds']:.0f} s"
        )
    else:
        lines.append("  proven    never")
    if verified:
        count = len(verified.get("findings", []))
        lines.append(f"  verified  {_ago(verified['at'])}, {count} finding{'' if count == 1 else 's'}")
    else:
        lines.append("  verified  never")
    for gap in seen["gaps"]:
        lines.append(
            f"  gap       no moment between {gap['since']} and the backup after {gap['at']} can be recovered"
        )
    lines += [f"  look at   {problem}" for problem in seen["problems"]]
    return "\n".join(lines)


def _age(moment: str) -> int:
    return int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def _ago(moment: str) -> str:
    minutes = _age(moment) // 60
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 2880 else f"{minutes // 1440} days ago"


def main() -> int:
    """Look and print."""
    words = argparse.ArgumentParser()
    words.add_argument("--server")
    words.add_argument("--json", action="store_true")
    asked = words.parse_args()
    pairs.as_barman()
    names = (
        [asked.server]
        if asked.server
        else sorted(path.parent.name for path in pairs.STATES.glob("*/server.json"))
    )
    try:
        seen = [look(name) for name in names]
    except pairs.Trouble as trouble:
        print(f"status: {trouble}", file=sys.stderr)
        return 1
    if asked.json:
        print(json.dumps(seen[0] if asked.server else {"servers": seen}))
    else:
        print("\n".join(text(each) for each in seen) or "no M EMS server is paired with this backup server")
    return 1 if any(each["why"] or each["problems"] for each in seen) else 0


if __name__ == "__main__":
    sys.exit(main())
