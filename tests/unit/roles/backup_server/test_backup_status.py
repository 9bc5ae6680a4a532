"""status.py: what the engineer on call reads."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]


def ago(**time: int) -> str:
    return (datetime.now(UTC) - timedelta(**time)).isoformat(timespec="seconds")


def seen(**other: Any) -> dict[str, Any]:
    """A server of which all is well, but for `other`."""
    newest = {"id": "20261124T013100", "ended": ago(hours=3), "bytes": 900 * 2**20, "seconds": 24.4}
    well = {"server": "erp1", "customer": "acme", "state": "protected", "since": "2026-11-20T02:00:00+00:00"}
    well |= {"why": [], "newest": newest, "wal_lag_bytes": 56, "wal_status": "reserved", "receiving": True}
    proven = {"backup_id": "20261120T013100", "at": ago(days=4), "rto_seconds": 61.2}
    verified = {"at": ago(minutes=70), "findings": []}
    return {**well, "proven": proven, "verification": verified, "gaps": [], "problems": [], **other}


def test_all_is_well(backup_program: Load) -> None:
    assert backup_program("status").text(seen()).splitlines() == [
        "erp1 (acme): PROTECTED since 2026-11-20T02:00:00+00:00",
        "  backup    20261124T013100, 3 h ago, 900 MiB in 24 s",
        "  changes   received as they are committed, behind by 56 bytes, slot reserved",
        "  proven    20261120T013100, 4 days ago, back in 61 s",
        "  verified  70 min ago, 0 findings",
    ]


def test_nothing_is_well(backup_program: Load) -> None:
    """Each reason and each problem is a line; what is unknown is said to be."""
    nothing = seen(
        state="unprotected",
        why=["there is no base backup that can be restored"],
        newest=None,
        wal_lag_bytes=None,
        wal_status=None,
        receiving=False,
        proven=None,
        verification=None,
        problems=["PostgreSQL of erp1 does not answer"],
    )
    lines = backup_program("status").text(nothing).splitlines()
    assert lines[0].startswith("erp1 (acme): UNPROTECTED since")
    assert lines[1] == "  because   there is no base backup that can be restored"
    assert "  changes   NOT received, behind by unknown, slot unknown" in lines
    assert [line for line in lines if line.endswith("never") or line.endswith("none")] == [
        "  backup    none",
        "  proven    never",
        "  verified  never",
    ]
    assert lines[-1] == "  look at   PostgreSQL of erp1 does not answer"


@pytest.mark.parametrize(
    ("newest", "proven", "words"),
    [
        (timedelta(hours=27), timedelta(days=1), "no backup for more than a day"),
        (timedelta(hours=1), timedelta(days=9), "no drill has proven a backup within 8 days"),
        (timedelta(hours=1), None, "no drill has proven a backup within 8 days"),
    ],
)
def test_what_grows_old_needs_a_look(
    backup_program: Load, newest: timedelta, proven: timedelta | None, words: str
) -> None:
    pair = backup_program("pair").Pair("erp1", {"proven_within_days": 8})
    now = datetime.now(UTC)
    found = backup_program("status").problems(
        pair,
        None,
        silent="",
        newest={"ended": (now - newest).isoformat(), "problems": []},
        proven=proven and {"at": (now - proven).isoformat()},
        verified=None,
    )
    assert len(found) == 1 and found[0].startswith(words)
