"""roles/backup/files/send.py: what the backup server's key may ask for."""

from collections.abc import Callable
from types import ModuleType

import pytest

RRSYNC = ["/usr/bin/rrsync", "-ro", "-munge"]


@pytest.mark.parametrize(
    ("request_", "program", "rsync"),
    [
        ("figures", ["/usr/local/lib/mems/figures"], ""),
        ("units", ["/usr/local/lib/mems/units"], ""),
        ("version", ["/usr/local/lib/mems/version"], ""),
        (
            "store --server --sender -e.L . ./",
            [*RRSYNC, "/srv/mems/files"],
            "rsync --server --sender -e.L . ./",
        ),
        ("config --server --sender . ./", [*RRSYNC, "/etc"], "rsync --server --sender . ./"),
    ],
)
def test_these_and_no_others(
    source_program: Callable[[str], ModuleType], request_: str, program: list[str], rsync: str
) -> None:
    assert source_program("send").decide(request_) == (program, rsync)


@pytest.mark.parametrize(
    "request_",
    [
        "",
        "sh",
        "figures; id",
        "figures\nid",
        " figures",
        "rsync --server --sender . /",
        "store --server . ./",  # would write
        "store --daemon",
        "store\n--server --sender . ./",
        "check",
    ],
)
def test_all_else_is_refused(source_program: Callable[[str], ModuleType], request_: str) -> None:
    with pytest.raises(ValueError):
        source_program("send").decide(request_)
