"""What a lab remembers, and the ssh_config that follows from it."""

import subprocess
from ipaddress import IPv4Network
from pathlib import Path

from lab import records
from lab.records import Entry, Records
from lab.sizes import Size

SIZE = Size(0.5, 1024, 8)


def test_records_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Written, read, equal; and an absent file is an empty lab."""
    path = tmp_path / "lab.json"
    assert records.read(path) == Records()
    kept = Records(
        IPv4Network("10.81.7.0/24"), {"a": Entry(10, "1a2b", None), "b": Entry(11, "1a2b", "erp", SIZE)}
    )
    records.write(path, kept)
    assert records.read(path) == kept
    assert [file.name for file in tmp_path.iterdir()] == ["lab.json"]


def test_a_lab_from_before_sizes_is_read(tmp_path: Path) -> None:
    """Its servers have no limits."""
    path = tmp_path / "lab.json"
    path.write_text('{"network": null, "servers": {"a": {"number": 10, "image": "1a2b", "layer": null}}}')
    assert records.read(path).servers["a"] == Entry(10, "1a2b", None, Size())


def test_ssh_reads_the_config_as_meant(tmp_path: Path) -> None:
    """ssh itself resolves the name to address, user, key and known hosts, also in a folder with a space."""
    home = tmp_path / "a lab"
    home.mkdir()
    config = tmp_path / "ssh_config"
    config.write_text(records.ssh_config(home, "ops", [("acme-erp1", "10.81.7.10"), ("b", "10.81.7.11")]))
    shown = subprocess.run(
        ["ssh", "-G", "-F", config, "acme-erp1"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {"hostname 10.81.7.10", "user ops", "stricthostkeychecking true", "identitiesonly yes"} <= set(
        shown
    )
    assert f"identityfile {home / 'id_ed25519'}" in shown
    other = subprocess.run(
        ["ssh", "-G", "-F", config, "somewhere.example"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "hostname somewhere.example" in other
    assert "user ops" not in other
