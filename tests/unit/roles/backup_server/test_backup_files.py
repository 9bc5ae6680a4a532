"""pull.py, files.py, verify_files.py and confine.py of roles/backup_server, without rsync and restic."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str], ModuleType]
PROGRAMS = Path(__file__).parents[4] / "roles/backup_server/files"


def test_rsyncs_lines_are_new_altered_or_other(backup_program: Load) -> None:
    """New files, contents or times that changed, and all else; rsync's other words are none of them."""
    said = [
        "cd+++++++++ mems/56/",
        ">f+++++++++ mems/56/new",
        ">f.st...... mems/56/longer",
        ">fc........ mems/56/rotted",
        ">f..t...... mems/56/touched again",
        ".f...p..... mems/56/mode",
        ".d..t...... mems/",
        "cL+++++++++ link -> /rsyncd-munged//etc/passwd",
        "rsync: [sender] read errors mapping",
    ]
    pulled = backup_program("pull").read_changes(said)
    assert pulled.new == 1
    assert pulled.altered == ["mems/56/longer", "mems/56/rotted", "mems/56/touched again"]
    assert pulled.others == 4
    assert pulled.changed
    assert not backup_program("pull").read_changes(said[-1:]).changed


class Pulls:
    """files.files with rsync and restic replaced: what each call of them finds, and what was snapshot."""

    def __init__(self, files: ModuleType, monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
        pairs = files.pairs
        monkeypatch.setattr(pairs, "STATES", state)
        (state / "s").mkdir()
        self.pair = pairs.Pair("s", {"retention_days": 14})
        self.files, self.taken = files, list[bool]()
        monkeypatch.setattr(
            files.repository,
            "ready",
            lambda pair: (pair.folder / "restic/snapshots").mkdir(parents=True, exist_ok=True),
        )
        monkeypatch.setattr(files.repository, "take", self._take)
        monkeypatch.setattr(files.pull, "pull", lambda *_: self.next)

    def _take(self, pair: Any, what: str, began: Any, partial: bool) -> tuple[str, dict[str, int]]:
        self.taken.append(partial)
        return f"id{len(self.taken)}", {"total_files_processed": 1, "total_bytes_processed": 2}

    def run(self, new: int = 0, problem: str = "") -> Any:
        self.next = self.files.pull.Pulled(new=new, problem=problem)
        return self.files.files(self.pair, "store", 0)


@pytest.fixture
def pulls(backup_program: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pulls:
    return Pulls(backup_program("files"), monkeypatch, tmp_path)


def test_a_snapshot_only_when_something_changed(pulls: Pulls) -> None:
    """The first pull and one with a new file make one; one that brings nothing names the last again."""
    assert [pulls.run()["snapshot"] for _ in range(2)] == ["id1", "id1"]
    before = pulls.run()["pulled"]
    changed = pulls.run(new=1)
    assert (changed["snapshot"], changed["pulled"] > before, changed["ok"]) == ("id2", True, True)
    assert pulls.taken == [False, False]


def test_a_failed_pull_is_a_failure_once_the_last_whole_one_is_old(pulls: Pulls) -> None:
    """Exit code 75 for as long as the patience lasts; 1 after it, and where nothing was ever pulled."""
    assert pulls.files.failed(pulls.pair, "store", 600) == 1
    pulls.run(new=1)
    assert pulls.files.failed(pulls.pair, "store", 600) == 75
    assert pulls.files.failed(pulls.pair, "store", 0) == 1
    known = pulls.files.pairs.read_json(pulls.pair.folder / "files.json")
    known["store"]["pulled"] = (datetime.now(UTC) - timedelta(seconds=601)).isoformat()
    pulls.files.pairs.write_json(pulls.pair.folder / "files.json", known)
    assert pulls.files.failed(pulls.pair, "store", 600) == 1


def test_a_pull_that_breaks_off_leaves_one_partial_snapshot_and_claims_nothing(pulls: Pulls) -> None:
    """What came before the break is kept once; `pulled` stays at the last whole one until the next."""
    whole = pulls.run()["pulled"]
    broken = pulls.run(new=1, problem="rsync ended with 12")
    assert (broken["ok"], broken["pulled"], broken["snapshot"]) == (False, whole, "id1")
    assert [pulls.run(problem="unreachable")["ok"] for _ in range(3)] == [False] * 3
    assert pulls.taken == [False, True]
    assert pulls.run()["snapshot"] == "id3"  # nothing new came now, but no whole snapshot holds it yet
    assert pulls.taken == [False, True, False]


def test_a_crash_between_pull_and_snapshot_is_made_good(
    pulls: Pulls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """restic fails after the pull: the next pull, which brings nothing, makes the snapshot."""
    pulls.run()
    works = pulls.files.repository.take

    def fails(*_: Any) -> Any:
        raise pulls.files.pairs.Trouble("no space left")

    monkeypatch.setattr(pulls.files.repository, "take", fails)
    assert pulls.run(new=1)["problems"] == ["no space left"]
    monkeypatch.setattr(pulls.files.repository, "take", works)
    assert pulls.run()["snapshot"] == "id2"


def test_two_pulls_of_one_server_do_not_meet(pulls: Pulls, backup_program: Load) -> None:
    """The second waits, and gives up in words."""
    repository = backup_program("repository")
    with (
        repository.lock(pulls.pair, "pulling", 0),
        pytest.raises(repository.Busy, match="has been pulling for s"),
    ):
        pulls.run()


@pytest.mark.parametrize(
    ("kept", "what"),
    [
        ({"count": 2, "bytes": 9, "hash": "h"}, None),
        ({"count": 3, "bytes": 12, "hash": "other"}, "note"),
        ({"count": 1, "bytes": 4, "hash": "other"}, "figures"),
        ({"count": 2, "bytes": 9, "hash": "other"}, "figures"),
        ({"count": -1, "bytes": 0, "hash": "the snapshot can't be read"}, "figures"),
    ],
)
def test_files_of_a_mark_are_compared_with_what_was_counted(
    backup_program: Load, kept: dict[str, Any], what: str | None
) -> None:
    """Equal is fine; more is a note (deleted over there); fewer or others is a finding."""
    mark = {"restore_point": "amc-1", "files_snapshot": "abcdef0123"}
    counted = {"count": 2, "bytes": 9, "hash": "h"}
    found = list(backup_program("verify_files").compare(counted, kept, mark))
    assert ["note" if each.note else each.what for each in found] == ([what] if what else [])


def test_confined_it_writes_only_where_it_may(tmp_path: Path) -> None:
    """Outside neither reading, nor writing, nor a way through a link or a rename; inside everything."""
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
    (tmp_path / "theirs/secret").write_text("secret")
    script = """
        cd "$0/mine"; echo kept > kept; cat kept
        cat ../theirs/secret; echo x > ../theirs/new; rm ../theirs/secret
        ln -s ../theirs link; echo x > link/through; mv kept ../theirs/kept; ls ..
    """
    confined = [sys.executable, "-B", PROGRAMS / "confine.py", f"--write={tmp_path}/mine"]
    confined += [f"--read={path}" for path in ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache")]
    done = subprocess.run(
        [*confined, "--", "/bin/sh", "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    if done.returncode == 125:
        pytest.skip(f"this kernel confines nothing: {done.stderr}")
    assert done.stdout == "kept\n"
    assert done.stderr.count("ermission denied") == 6
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["secret"]
    assert (tmp_path / "mine/kept").read_text() == "kept\n"
