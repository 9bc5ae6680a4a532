"""Replay of the WAL up to the target, and the proof that nothing received is missing, before the promotion.

PostgreSQL runs as a standby without a primary: it replays what restore_command gives, and stays one until
told otherwise. So its end is compared first, and a recovery that falls short leaves no new timeline behind.
"""

import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import here

BEGIN, END = "# BEGIN amc recovery", "# END amc recovery"
RECOVERY_SETTING = re.compile(
    r"^\s*(recovery_target\w*|restore_command|archive_cleanup_command|recovery_end_command)\b"
)
ASKED_AGAIN = 8  # times that PostgreSQL asked for the same file without going on: there is no more
STILL_SECONDS = 2.0
CONNECT_SECONDS = 120
QUERY = (
    "SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0'::pg_lsn,"
    " pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC',"
    " CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() ELSE '' END"
)


class FellShort(here.Trouble):
    """Replay ended before the target; `reached` says where."""

    def __init__(self, words: str, reached: here.Record) -> None:
        super().__init__(words)
        self.reached = reached


def settings(plan: here.Record, wal: Path) -> str:
    """What the cluster's own settings get for the time of the recovery."""
    lines = {
        "restore_command": f'/usr/local/lib/amc/recover/wal.sh "{wal}" %f "%p"',
        "recovery_target_timeline": str(plan["timeline"]),
        "recovery_target_inclusive": "on",
        "recovery_target_action": "pause",
        "wal_retrieve_retry_interval": "200ms",
        "hot_standby": "on",
        "primary_conninfo": "",
    }
    if not plan["to_end"]:
        target = plan["target"]
        lines["recovery_target_name" if target["mark"] else "recovery_target_time"] = (
            target["mark"] or target["time"]
        )
    quoted = [f"{name} = '{value}'" for name, value in lines.items()]
    return "\n".join([BEGIN, *quoted, END]) + "\n"


def without_settings(text: str) -> str:
    """The cluster's own settings without ours, and without what any earlier recovery left."""
    kept, inside = [], False
    for line in text.splitlines():
        inside = (inside or line == BEGIN) and line != END
        if not inside and line != END and not RECOVERY_SETTING.match(line):
            kept.append(line)
    return "\n".join(kept) + "\n"


def prepare(data: Path, plan: here.Record, wal: Path) -> None:
    """Make a copied base backup one that replays to the target when PostgreSQL starts."""
    own = data / "postgresql.auto.conf"
    kept = without_settings(own.read_text()) if own.exists() else ""
    own.write_text(kept + settings(plan, wal))
    (data / "standby.signal").touch()
    (data / "recovery.signal").unlink(missing_ok=True)
    (data / "postmaster.pid").unlink(missing_ok=True)


def clear_settings(data: Path) -> here.Record:
    """Take ours out again."""
    own = data / "postgresql.auto.conf"
    kept = without_settings(own.read_text())
    if kept != own.read_text():
        own.write_text(kept)  # in place: the file stays postgres's
    here.psql("SELECT pg_reload_conf()")
    return {}


def look() -> here.Record | None:
    """How far replay is; None while PostgreSQL takes no connections."""
    try:
        running, position, at, pause = here.psql(QUERY, seconds=20).split("|")
    except (here.Trouble, ValueError):
        return None
    time_reached = datetime.fromisoformat(at).isoformat() + "+00:00" if at else None
    return {
        "replaying": running == "t",
        "position": int(position),
        "time": time_reached,
        "paused": pause == "paused",
    }


def asked_for(wal: Path) -> list[str]:
    """The names that PostgreSQL asked for, in order."""
    note = wal / "asked"
    return note.read_text().split() if note.exists() else []


def at_end(names: list[str], since: int) -> bool:
    """Whether PostgreSQL asks for the same again; `names` before `since` are older than the last step."""
    new = names[since:]
    return len(new) >= ASKED_AGAIN and len(set(new[-ASKED_AGAIN:])) <= 2


def replay(plan: here.Record, wal: Path, say: Callable[[str], None]) -> here.Record:
    """Start PostgreSQL and wait for the target: {"position", "time", "paused"}, or FellShort before it."""
    if here.state_of(here.POSTGRESQL) not in ("active", "activating"):
        here.run("systemctl", "reset-failed", here.POSTGRESQL)
        here.run("systemctl", "start", "--no-block", here.POSTGRESQL)
    last: here.Record | None = None
    since, still, told = len(asked_for(wal)), time.monotonic(), 0.0
    while True:
        now = look()
        if now and _is_there(plan, now):
            return {**now, "lsn": lsn(now["position"]), "lost_seconds": 0.0 if plan["to_end"] else None}
        if now and not now["replaying"]:
            raise FellShort(
                "PostgreSQL replays nothing: it was started without this recovery's settings", now
            )
        names = asked_for(wal)
        if now != last:
            last, since, still = now, len(names), time.monotonic()
        if time.monotonic() - told > 10:
            told = time.monotonic()
            say(f"replay is at {now['time'] if now else 'its beginning'}, {len(names)} files asked for")
        if here.state_of(here.POSTGRESQL) in ("failed", "inactive"):
            raise FellShort(f"PostgreSQL ended during the replay: {_log()}", now or {})
        if time.monotonic() - still > STILL_SECONDS and at_end(names, since):
            if now and _accepts(plan, now):
                _forget_target(plan, wal, now["position"])
                return {**now, "lsn": lsn(now["position"]), "lost_seconds": None}
            raise FellShort(_short(plan, now), now or {})
        time.sleep(0.1)


def _is_there(plan: here.Record, now: here.Record) -> bool:
    if not plan["to_end"]:
        return bool(now["paused"])
    # The last record received begins at this position: once replay is past it, all of it is there.
    return int(now["position"]) > position(plan["received"]["lsn"])


def _accepts(plan: here.Record, now: here.Record) -> bool:
    """Whether the moment asked for is that of the last commit before damaged WAL: nothing later is wanted."""
    asked = (plan["target"] or {}).get("time")
    if plan["to_end"] or not asked or not now["time"]:
        return False
    return datetime.fromisoformat(now["time"]) >= datetime.fromisoformat(asked)


def _forget_target(plan: here.Record, wal: Path, until: int) -> None:
    """Replay to the same place again without a target: PostgreSQL promotes none that it did not see."""
    prepare(here.DATA, {**plan, "to_end": True}, wal)
    here.run("systemctl", "restart", here.POSTGRESQL, seconds=600)
    deadline = time.monotonic() + 600
    while not (now := look()) or now["position"] < until:
        if time.monotonic() > deadline:
            raise FellShort(f"PostgreSQL did not come to {lsn(until)} a second time. {_log()}", now or {})
        time.sleep(0.1)


def position(lsn: str) -> int:
    """Bytes from the beginning of all WAL."""
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def _short(plan: here.Record, now: here.Record | None) -> str:
    received = plan["received"]
    if not now:
        return f"replay ended before the backup was consistent: a WAL segment is damaged. {_log()}"
    lost = here.seconds_between(now["time"], received["time"])
    return (
        f"replay ended at {lsn(now['position'])} (last commit {now['time']}), but the backup server received "
        f"up to {received['lsn']} (last commit {received['time']}): {lost} s would be lost. A WAL segment "
        f"between them is damaged. M EMS stays stopped. Accept that state by --to '{now['time']}', or put "
        f"the old one back. {_log()}"
    )


def lsn(at: int) -> str:
    """As PostgreSQL writes it."""
    return f"{at >> 32:X}/{at & 0xFFFFFFFF:X}"


def _log() -> str:
    lines = here.LOG.read_text(errors="replace").splitlines()[-40:] if here.LOG.exists() else []
    telling = [
        line for line in lines if re.search(r"FATAL|PANIC|LOG: +(invalid|incorrect|record)|unexpected", line)
    ]
    return "PostgreSQL said: " + " / ".join(telling[-2:]) if telling else ""


def promote(drill: bool) -> here.Record:
    """End the replay: {"timeline", "branched" (LSN), "at"}. No slot for the backup server in a drill."""
    if here.psql("SELECT pg_is_in_recovery()") == "t":
        here.psql("SELECT pg_promote(true, 600)", seconds=620)
    at = here.now()
    # The slot is to hold the new timeline from its first segment on: it begins at the last checkpoint.
    here.psql("CHECKPOINT", seconds=3600)
    timeline = int(here.psql("SELECT timeline_id FROM pg_control_checkpoint()"))
    if not drill:
        here.psql(
            "SELECT pg_create_physical_replication_slot('barman', true)"
            " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'barman')"
        )
    history = (here.DATA / f"pg_wal/{timeline:08X}.history").read_text()
    branched = [line.split()[1] for line in history.splitlines() if re.match(r"\d+\s", line)][-1]
    return {"timeline": timeline, "branched": branched, "at": at}
