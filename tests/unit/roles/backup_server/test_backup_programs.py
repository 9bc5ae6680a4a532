"""install/programs.py: a folder that holds exactly what the role has."""

import json
import subprocess
import sys
from pathlib import Path

INSTALL = Path(__file__).parents[4] / "roles/backup_server/files/install/programs.py"


def install(folder: Path, wanted: dict[str, str], *words: str) -> list[str]:
    """As Ansible does it: the program on the command line, the files on standard input."""
    command = [sys.executable, "-c", INSTALL.read_text(), *words, str(folder)]
    done = subprocess.run(command, input=json.dumps(wanted), capture_output=True, text=True, check=True)
    changed: list[str] = json.loads(done.stdout)["changed"]
    return changed


def test_missing_other_and_stale_files_are_put_right_once(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("gone")
    (tmp_path / "a.py").write_text("other")
    (tmp_path / "data.json").write_text("{}")
    wanted = {"a.py": "a", "b.py": "b\n"}
    assert install(tmp_path, wanted, "--look") == ["a.py", "b.py", "old.py"]
    assert (tmp_path / "a.py").read_text() == "other"
    assert install(tmp_path, wanted) == ["a.py", "b.py", "old.py"]
    assert {path.name for path in tmp_path.iterdir()} == {"a.py", "b.py", "data.json"}
    assert (tmp_path / "b.py").read_text() == "b\n"
    assert (tmp_path / "b.py").stat().st_mode & 0o777 == 0o755
    assert install(tmp_path, wanted) == []


def test_a_folder_that_is_not_there_yet_is_only_looked_at(tmp_path: Path) -> None:
    assert install(tmp_path / "none", {"a.py": "a"}, "--look") == ["a.py"]
