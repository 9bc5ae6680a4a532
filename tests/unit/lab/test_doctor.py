"""What the doctor reads from a firewall, and how it says what is missing."""

import json
from pathlib import Path

import pytest

from lab import doctor
from lab.errors import MachineLacks

DROP = {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"}}
ACCEPT = {
    "chain": {"family": "inet", "table": "open", "name": "forward", "hook": "forward", "policy": "accept"}
}
RULE = {
    "rule": {
        "family": "ip",
        "table": "filter",
        "chain": "FORWARD",
        "expr": [
            {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "br-l*"}},
            {"accept": None},
        ],
    }
}


def test_a_firewall_that_drops_what_is_forwarded_is_named() -> None:
    """The chain is named as nft wants it in a command; a policy of accept is none."""
    assert doctor.dropping_chains(json.dumps({"nftables": [DROP, ACCEPT]})) == ["ip filter FORWARD"]


def test_a_firewall_that_lets_labs_through_is_fine() -> None:
    """A rule for the labs' bridges is what the mend adds: afterwards the doctor is content."""
    assert doctor.dropping_chains(json.dumps({"nftables": [DROP, RULE]})) == []
    assert doctor.dropping_chains("") == []


def test_missing_programs_are_named_with_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a machine with apt only, the mend is one apt-get line."""
    (tmp_path / "apt-get").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = doctor.programs()
    assert not found.ok
    assert found.mend.startswith("apt-get install ")
    assert {"mmdebstrap", "systemd-container", "nftables"} <= set(found.mend.split())
    with pytest.raises(MachineLacks, match="packages are missing"):
        doctor.require(tmp_path, tmp_path)


def test_too_small_a_disk_is_said_with_figures(tmp_path: Path) -> None:
    """More than any disk has is not there; the folder need not exist yet."""
    found = doctor.disk("disk", tmp_path / "not/yet/there", 10**18)
    assert not found.ok
    assert "GB free" in found.words
    assert doctor.disk("disk", tmp_path / "not/yet/there", 1).ok
