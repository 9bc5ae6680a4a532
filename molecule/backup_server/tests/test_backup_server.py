"""What role backup_server promises, seen from the server."""

import json


def test_barman_is_the_pinned_one_and_finds_what_it_needs(host):
    """All its own diagnosis, before any server is paired."""
    said = host.check_output("runuser -u barman -- barman diagnose")
    assert json.loads(said)["global"]["system_info"]["barman_ver"] == "3.19.1"


def test_no_database_runs_here(host):
    """The programs of PostgreSQL 15 only."""
    assert host.check_output("pg_lsclusters --no-header") == ""
    assert host.check_output("ss -Hltn sport = :5432") == ""
    assert host.file("/usr/lib/postgresql/15/bin/pg_waldump").exists


def test_private_keys_are_the_pullers_alone(host):
    """Made here, one to pull and one to recover."""
    for name in ("pull", "recover"):
        key = host.file(f"/var/lib/barman/.ssh/id_{name}")
        assert (key.user, key.mode) == ("barman", 0o600)
    assert host.file("/var/lib/amc/backup").mode == 0o700


def test_the_puller_has_no_shell_and_no_rights(host):
    """Nobody logs in as barman, and barman becomes nobody."""
    assert host.user("barman").shell == "/usr/sbin/nologin"
    assert host.run("runuser -u barman -- sudo -n true").rc != 0


def test_maintenance_runs_every_minute_and_ends_well(host):
    """The timer is enabled; its service runs through."""
    assert host.service("barman-cron.timer").is_enabled
    host.run_expect([0], "systemctl start barman-cron.service")
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_a_server_that_was_never_paired_is_told_apart(host):
    """In words, with what to do; by every program that takes a server."""
    for program in ("backup", "reach", "watch"):
        said = host.run(f"python3 -B /usr/local/lib/amc/backup/{program}.py --server nobody")
        assert said.rc == 1
        assert "nobody is not paired with this backup server" in said.stdout


def test_programs_are_exactly_the_roles(host):
    """One that the role no longer has does not stay; a second run would not touch the others."""
    listed = host.check_output("ls /usr/local/lib/amc/backup").split()
    assert "backup.py" in listed and all(name.endswith(".py") for name in listed)
