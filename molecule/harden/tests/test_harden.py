"""What role harden promises, asked of the services themselves."""

import json
import os
import socket
from pathlib import Path

import pytest

CONFIG = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", ".")) / "lab/ssh_config"


@pytest.fixture(scope="module")
def address():
    """The server's address on the lab's network."""
    lines = [line.split() for line in CONFIG.read_text().splitlines()]
    return next(words[1] for words in lines if words[:1] == ["HostName"])


def _report(host):
    return json.loads(host.check_output("cat /var/lib/amc/runs/by-hand/harden.json"))


def _opens(address, port):
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError as problem:
        return type(problem).__name__
    return "open"


def test_ssh_takes_keys_of_named_people_only(host):
    """sshd's own words: no passwords, no root, and who may come; an agent may offer all its keys."""
    said = set(host.check_output("sshd -T").splitlines())
    assert {"passwordauthentication no", "permitrootlogin no", "x11forwarding no", "maxauthtries 6"} <= said
    assert {"allowusers ops", "allowusers lena", "allowusers amc-backup"} <= said
    assert not [line for line in said if line.startswith("ciphers ") and "cbc" in line]


def test_no_small_group_is_left(host):
    """Of Diffie-Hellman's groups only those of 3072 bits and more."""
    assert host.check_output("awk '!/^#/ && $5 < 3071' /etc/ssh/moduli") == ""
    assert int(host.check_output("grep -vc '^#' /etc/ssh/moduli")) > 100


def test_the_firewall_lets_in_what_is_meant(host, address):
    """SSH and M EMS from anywhere; a recovery's port from the backup server's address; nothing else."""
    host.run_expect([0], "systemd-run --quiet --collect --unit=ear /usr/bin/python3 -m http.server 9999")
    rules = host.check_output("nft list table inet amc")
    assert "tcp dport { 2222, 5432 } accept" in rules and "ip saddr 192.0.2.7 tcp dport 8443 accept" in rules
    assert (_opens(address, 22), _opens(address, 443)) == ("open", "open")
    assert _opens(address, 2222) == "ConnectionRefusedError"  # let through, nothing listens
    assert _opens(address, 9999) == "TimeoutError"
    host.run_expect([0], "systemctl stop ear")
    assert host.service("nftables").is_enabled


def test_the_web_server_sends_headers_and_today_s_ciphers_only(host):
    """curl's view: the headers are there, and a cipher without forward secrecy is refused."""
    call = "curl -sk --connect-to ::127.0.0.1: -o /dev/null https://mems1/"
    headers = host.check_output(f"{call} -D -").lower()
    for name in ("strict-transport-security", "x-content-type-options", "content-security-policy"):
        assert f"\n{name}:" in headers
    assert host.run(f"{call} --tls-max 1.2 --ciphers AES256-SHA").rc == 35
    assert host.run(f"{call} --tls-max 1.2").rc == 0


def test_postgresql_lets_in_the_application_and_nobody_else(host):
    """By the socket as itself; another user, or a password over TCP, is refused."""
    host.run_expect([0], "runuser -u mems -- psql -XAtc 'SELECT 1' mems")
    assert host.run("runuser -u ops -- psql -XAtc 'SELECT 1' -U mems mems").rc == 2
    refused = host.run("runuser -u mems -- psql -XAtc 'SELECT 1' -h 127.0.0.1 mems")
    assert "no pg_hba.conf entry" in refused.stderr
    public = "SELECT has_database_privilege('public', 'mems', 'CONNECT')"
    assert host.check_output("runuser -u postgres -- psql -XAtc %s", public) == "f"


def test_mems_works_in_its_sandbox(host):
    """Business calls answer, files are written, and its process has no capability and sees no other."""
    assert json.loads(host.check_output("/usr/local/lib/mems/check"))["ok"] is True
    pid = host.check_output("systemctl show -P MainPID mems@8001.service")
    status = host.check_output(f"cat /proc/{pid}/status")
    assert "CapBnd:\t0000000000000000" in status and "Seccomp:\t2" in status
    inside = f"nsenter -t {pid} --mount -- runuser -u mems -- sh -c"
    host.run_expect([0], f"{inside} 'touch /srv/mems/files/.x && rm /srv/mems/files/.x'")
    assert host.run(f"{inside} 'ls /etc/ssh /var/lib/amc'").rc != 0


def test_an_exception_holds_until_its_last_day(host):
    """apt is left as it was; cron's exception is over, so its rule is applied, and the report says both."""
    assert not host.file("/etc/apt/apt.conf.d/95amc-harden").exists
    assert host.file("/etc/crontab").mode == 0o600
    holds = {each["rule"]: each["holds"] for each in _report(host)["exceptions"]}
    assert holds == {"apt": True, "cron": False}


def test_the_customers_file_wins(host):
    """Of two files with one path the customer's own is there."""
    assert host.file("/etc/issue.net").content_string == "Ask the customer first.\n"


def test_what_cannot_be_done_here_is_said(host):
    """A container: kernel settings of its host, no auditd; and no backup server in this inventory."""
    missing = {each["what"].split(":")[0]: each["why"] for each in _report(host)["not_applicable"]}
    assert {"sysctl", "modules", "logging", "proof"} <= set(missing) and all(missing.values())
    assert host.check_output("sysctl -n net.ipv4.conf.all.send_redirects net.ipv4.tcp_rfc1337") == "0\n1"


def test_confirmed_once_and_nothing_stays(host):
    """Two runs: one apply, its proofs, no failed unit, nothing armed, nothing half."""
    report = _report(host)
    assert [attempt["outcome"] for attempt in report["unit"]["attempts"]] == ["confirmed"]
    assert all(proof["ok"] for proof in report["proofs"]) and len(report["proofs"]) == 4
    assert report["failed_units"] == [] and report["confirmed"] and not report["rolled_back"]
    there = host.check_output("ls /etc/systemd/system /var/lib/amc/harden").split()
    assert [name for name in there if name.startswith("amc-harden") or name == "pending"] == []
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
    assert host.check_output("find /etc -name '*.amc-part'") == ""


def test_no_engineer_is_locked_out_by_time(host):
    """Nobody's password expires, nothing counts failures."""
    assert host.check_output("awk -F: '$5 != 99999 && $5 != \"\" {print $1}' /etc/shadow") == ""
    assert host.run("grep -r 'faillock\\|tally' /etc/pam.d").rc == 1


def test_what_changed_over_night_is_in_the_journal(host):
    """AIDE, run twice: a new file under /etc is named, and is no news the next time."""
    host.run_expect([0], "systemctl start aide-nightly && touch /etc/amc-new && systemctl start aide-nightly")
    said = "journalctl --sync; journalctl -u aide-nightly -o cat --no-pager | grep -c /etc/amc-new || true"
    assert host.check_output(said) == "1"
    host.run_expect([0], "systemctl start aide-nightly")
    assert host.check_output(said) == "1"
    assert host.service("aide-nightly.timer").is_enabled
