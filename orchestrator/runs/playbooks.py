"""A playbook as the orchestrator sees it: is it there, and whom does it reach besides the ordered servers?"""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from orchestrator.contracts.activities import DEFAULTS

# What a run may reach besides the servers that were ordered: the shared ones, the controller, and a
# throw-away server that the playbook itself adds. Any other name would reach servers that nobody ordered.
BESIDES = ("backup_server", "monitoring_server", "localhost", "drill")


def path(repository: Path, activity: str) -> Path:
    """Where the activity's playbook is, or would be."""
    return repository / "playbooks" / f"{activity}.yml"


def known(repository: Path) -> list[str]:
    """The activities that have a playbook; a playbook of another name is for use by hand."""
    return sorted(file.stem for file in (repository / "playbooks").glob("*.yml") if file.stem in DEFAULTS)


def limit(playbook: Path, servers: Sequence[str]) -> str:
    """Ansible's `--limit`: the ordered servers, then each of BESIDES that a play of the playbook names."""
    return ",".join([*servers, *(name for name in BESIDES if name in _named(playbook))])


def _named(playbook: Path) -> set[str]:
    """Every name in the plays' `hosts`; none in a file that is no list of plays: Ansible tells of that."""
    try:
        plays = yaml.safe_load(playbook.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        return set()
    hosts = [play.get("hosts", "") for play in plays or [] if isinstance(play, dict)]
    words = [word for each in hosts for word in (each if isinstance(each, list) else [each])]
    return {name for word in words for name in re.split(r"[,:\s]+", str(word))}
