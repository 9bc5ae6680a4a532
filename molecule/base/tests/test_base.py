"""What role base promises, seen from the server and from an engineer's own machine."""

import os
import subprocess
from pathlib import Path

FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])


def _as_engineer(command: str, key: str = "lena") -> subprocess.CompletedProcess[str]:
    config = FOLDER / "lab/ssh_config"
    server = os.environ["MOLECULE_SCENARIO_NAME"] + "1"
    options = ["-o", "IdentitiesOnly=yes", "-o", f"IdentityFile={FOLDER / key}", "-o", "BatchMode=yes"]
    return subprocess.run(
        ["ssh", "-F", config, *options, "-l", "lena", server, command],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_an_engineer_logs_in_with_the_inventory_key_and_becomes_root():
    """The key of the inventory opens the account, and sudo asks for no password."""
    done = _as_engineer("sudo -n id -u")
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr


def test_an_engineer_has_no_password(host):
    """The account can't be entered by a password, because none matches."""
    assert host.user("lena").password.startswith("!")


def test_who_left_the_list_has_no_account(host):
    """oskar was an engineer before: the account is gone, the home folder is not."""
    assert not host.user("oskar").exists
    assert host.file("/home/oskar").is_directory


def test_time_is_utc(host):
    """Whatever zone the image had."""
    assert host.check_output("date +%Z") == "UTC"
    assert host.file("/etc/timezone").content_string.strip() == "Etc/UTC"


def test_the_journal_survives_and_has_a_limit(host):
    """journald itself says where it writes and how much it may take."""
    assert host.file("/var/log/journal").is_directory
    said = host.check_output("journalctl -u systemd-journald -b -n 20 -o cat")
    assert "/var/log/journal" in said and "max 200.0M" in said


def test_nothing_failed(host):
    """No unit is failed afterwards."""
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
