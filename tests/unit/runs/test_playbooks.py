"""Whom a run may reach: the ordered servers, and of the shared ones those that the playbook names."""

from pathlib import Path

import pytest

from orchestrator.contracts.activities import DEFAULTS
from orchestrator.runs import playbooks

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("plays", "reached"),
    [
        ("- hosts: mems\n", "erp1,erp2"),
        ("- hosts: backup_server\n- hosts: mems\n", "erp1,erp2,backup_server"),
        (
            "- hosts: localhost\n- hosts: drill\n- hosts: backup_server\n",
            "erp1,erp2,backup_server,localhost,drill",
        ),
        ("- hosts: [backup_server, mems]\n", "erp1,erp2,backup_server"),
        ("- hosts: monitoring_server\n- hosts: mems\n", "erp1,erp2,monitoring_server"),
        ("- hosts: mems:drill\n- import_playbook: x.yml\n", "erp1,erp2,drill"),
        ("- hosts: all\n- hosts: others\n", "erp1,erp2"),
        ("", "erp1,erp2"),
        ("- hosts: [\n", "erp1,erp2"),
        ("hosts: drill\n", "erp1,erp2"),
    ],
)
def test_the_limit(tmp_path: Path, plays: str, reached: str) -> None:
    """A name that is not known to be shared never widens it."""
    (tmp_path / "p.yml").write_text(plays)
    assert playbooks.limit(tmp_path / "p.yml", ["erp1", "erp2"]) == reached


def test_the_playbooks_that_are_there() -> None:
    """Named when one is asked for that is not."""
    assert {"check", "deploy", "patch"} <= set(playbooks.known(REPOSITORY)) <= set(DEFAULTS)
    assert playbooks.path(REPOSITORY, "patch").is_file()
