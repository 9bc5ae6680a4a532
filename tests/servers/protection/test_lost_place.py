"""The backup server is away for too long: nobody is told wrong, and the next backup makes it good."""

import json
from typing import Any

import pytest
from backed_up import BACKUP, CATALOGUE, MEMS, STATE, Pair

RECEIVING = f"barman-cron.timer barman-wal@{MEMS}.service"
MANY_CHANGES = """
CREATE TABLE IF NOT EXISTS many_changes (words text);
INSERT INTO many_changes SELECT md5(n::text) FROM generate_series(1, 1000) AS n; SELECT pg_switch_wal();
INSERT INTO many_changes SELECT md5(n::text) FROM generate_series(1, 1000) AS n; SELECT pg_switch_wal();
CHECKPOINT;
"""


def sql(pair: Pair, statements: str) -> str:
    """What PostgreSQL of M EMS answers to its superuser."""
    return pair.root(
        MEMS, f"cd /; runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 <<'EOF'\n{statements}\nEOF"
    )


@pytest.fixture(scope="module")
def lost(pair: Pair) -> Any:
    """The status after the backup server was away for too long and is back again."""
    sql(pair, "ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'; SELECT pg_reload_conf()")
    pair.root(BACKUP, f"systemctl stop {RECEIVING}; ! pgrep -u barman -x pg_receivewal")
    try:
        seen: list[str] = []
        while "lost" not in seen and len(seen) < 12:
            sql(pair, MANY_CHANGES)
            seen.append(sql(pair, "SELECT wal_status FROM pg_replication_slots"))
        assert seen[-1] == "lost", seen
    finally:
        pair.root(BACKUP, f"systemctl start {RECEIVING}")
        sql(
            pair,
            "ALTER SYSTEM RESET max_slot_wal_keep_size; SELECT pg_reload_conf(); DROP TABLE many_changes",
        )
    return pair.program("status", "--json")


def test_the_status_says_that_the_place_is_lost_and_how_it_is_repaired(lost: Any) -> None:
    assert (lost["state"], lost["wal_status"]) == ("unprotected", "lost")
    assert any("place is lost" in reason for reason in lost["why"])
    assert any(f"systemctl start amc-backup-nightly@{MEMS}" in problem for problem in lost["problems"])


def test_the_watch_writes_it_down(pair: Pair, lost: Any) -> None:
    assert pair.program("watch")["state"] == "unprotected"
    assert json.loads(pair.root(BACKUP, f"cat {STATE}/protection.json"))["state"] == "unprotected"


def test_a_backup_takes_a_new_place_and_remembers_the_gap(pair: Pair, lost: Any) -> None:
    record = pair.program("backup")
    assert record["ok"], record["problems"]
    assert record["gap"]["after"] < record["begin_wal"]
    after = pair.program("status", "--json")
    assert (after["state"], after["receiving"], after["wal_status"]) == ("protected", True, "reserved")
    assert after["gaps"][-1] == record["gap"]
    check = pair.run(BACKUP, f"sudo -u barman barman check {MEMS}")
    assert check.returncode == 0, check.stdout


def test_what_comes_next_is_archived_again(pair: Pair, lost: Any) -> None:
    segment = sql(pair, "SELECT pg_walfile_name(pg_switch_wal()); SELECT pg_create_restore_point('next')")
    segment = segment.split()[0]
    archived = f"{CATALOGUE}/wals/{segment[:16]}/{segment}"
    command = f"sudo -u barman barman -q archive-wal {MEMS}; sudo test -f {archived}"
    pair.wait(BACKUP, command, f"{segment} to be archived", 30)
