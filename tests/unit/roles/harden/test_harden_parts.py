"""Files of a set: what they should be, and that they come back exactly."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Load = Callable[[str], ModuleType]

MODULI = """\
# Time Type Tests Tries Size Generator Modulus
20240101 2 6 100 2047 2 AAAA
20240101 2 6 100 3071 5 BBBB
20240101 2 6 100 8191 2 CCCC
"""


def test_small_moduli_go_and_never_all(harden_program: Load) -> None:
    """Groups below 3072 bits (the file says 3071) go; a file with only small ones stays: sshd needs some."""
    moduli = harden_program("parts").moduli
    kept = moduli(MODULI, {})
    assert "AAAA" not in kept and "BBBB" in kept and "CCCC" in kept
    small = "".join(MODULI.splitlines(keepends=True)[:2])
    assert moduli(small, {}) == small
    assert moduli(kept, {}) == kept


def test_the_backups_block_is_kept(harden_program: Load) -> None:
    """pg_hba.conf is ours but for the lines between role backup's marks; applied twice it is the same."""
    keep = harden_program("parts").backup_block
    there = "local all all peer\n# BEGIN amc backup\nhostssl a\n# END amc backup\nhost all all all trust\n"
    wish = {"content": "local all postgres peer\n"}
    made = keep(there, wish)
    assert made == "local all postgres peer\n# BEGIN amc backup\nhostssl a\n# END amc backup\n"
    assert keep(made, wish) == made
    assert keep("local all all peer\n", wish) == wish["content"]


@pytest.mark.parametrize(
    ("there", "made"),
    [
        ("A 1\nUMASK\t\t022\nB 2\n", "A 1\nUMASK\t027\nB 2\n"),
        ("A 1\n#UMASK 022\n", "A 1\n#UMASK 022\nUMASK\t027\n"),
        ("", "\nUMASK\t027\n"),
    ],
)
def test_a_setting_is_set_where_it_stood(harden_program: Load, there: str, made: str) -> None:
    """login.defs: in place, or at the end; a comment is no setting."""
    settings = harden_program("parts").settings
    assert settings(there, {"settings": {"UMASK": "027"}}) == made
    assert settings(made, {"settings": {"UMASK": "027"}}) == made


def test_a_line_comes_after_another_once(harden_program: Load) -> None:
    """pam's su: the new rule right after the one for root; a second time nothing."""
    after = harden_program("parts").after_line
    wish = {"after": r"^auth\s+sufficient pam_rootok\.so$", "line": "auth required pam_wheel.so"}
    made = after("auth sufficient pam_rootok.so\naccount x\n", wish)
    assert made == "auth sufficient pam_rootok.so\nauth required pam_wheel.so\naccount x\n"
    assert after(made, wish) == made


def test_what_is_brought_back_is_exactly_what_was(harden_program: Load, tmp_path: Path) -> None:
    """Content, mode and time of a file; a link; nothing where nothing was; a folder's mode."""
    parts = harden_program("parts")
    file, link, new, folder = (tmp_path / name for name in ("file", "link", "new", "folder"))
    file.write_bytes(b"old\xff")
    file.chmod(0o640)
    os.utime(file, ns=(1_000_000_000, 2_000_000_007))
    link.symlink_to("somewhere")
    folder.mkdir(0o755)
    paths = [file, link, new, folder]
    records = [parts.keep(path, tmp_path / f"copy{number}") for number, path in enumerate(paths)]
    before = [parts.look(path) for path in paths]
    for path in (file, link, new):
        parts.put(path, parts.Fact("file", 0o600, os.getuid(), os.getgid(), b"other"))
    folder.chmod(0o700)
    for record in records:
        parts.bring_back(record)
    assert [parts.look(path) for path in paths] == before
    assert file.stat().st_mtime_ns == 2_000_000_007
    assert not list(tmp_path.glob(".*amc-part"))


def test_a_mode_alone_touches_only_what_is_there(harden_program: Load, tmp_path: Path) -> None:
    """No file is made for a mode, and a file's content stays."""
    parts = harden_program("parts")
    there = parts.Fact("file", 0o644, 0, 0, b"x")
    assert parts.wanted({"path": "p", "mode": "0600"}, there) == parts.Fact("file", 0o600, 0, 0, b"x")
    assert parts.wanted({"path": "p", "mode": "0600"}, parts.ABSENT) == parts.ABSENT
