"""What role backup promises, seen from the backup server."""

import json

testinfra_hosts = ["ansible://backup_server"]

STATE = "/var/lib/amc/backup/mems1"


def _program(host, name: str, *words: str):
    """Exit code and document of a program for the M EMS server."""
    command = ["python3", "-B", f"/usr/local/lib/amc/backup/{name}.py", "--server", "mems1", *words]
    said = host.run(" ".join(command))
    return said.rc, json.loads(said.stdout)


def test_every_way_is_open(host):
    """Database, streaming, files; and the database's certificate is the customer's CA's."""
    assert _program(host, "reach") == (
        0,
        {"server": "mems1", "ok": True, "problems": [], "database": True, "streaming": True, "files": True},
    )
    conninfo = json.loads(host.file(f"{STATE}/server.json").content_string)["conninfo"]
    assert "sslmode=verify-ca" in conninfo and f"sslrootcert={STATE}/ca.pem" in conninfo


def test_another_authority_is_not_believed(host):
    """A database with a certificate of somebody else is refused, and said so; a mark that it kept from being
    set will be tried again, its unit has not failed."""
    mark = "amc-backup-mark@mems1.service"
    host.run_expect([0], f"cp -a {STATE}/ca.pem /root/ca.pem")
    try:
        make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=other -days 1"
        host.run_expect(
            [0], f"{make} -keyout /dev/null -out /root/other.pem && cat /root/other.pem > {STATE}/ca.pem"
        )
        code, said = _program(host, "reach")
        assert host.run(f"systemctl start {mark}").rc == 1
        assert host.check_output(f"systemctl show -P SubState {mark}") == "auto-restart"
        assert host.check_output("systemctl --failed --no-legend --plain") == ""
    finally:
        host.run_expect([0], f"systemctl stop {mark}; cat /root/ca.pem > {STATE}/ca.pem")
    assert code == 1 and not said["database"] and "certificate verify failed" in said["problems"][0]


def test_before_the_first_backup_it_is_unprotected(host):
    """And a whole backup changes that; its record has all that an engineer asks for."""
    code, state = _program(host, "watch")
    assert (code, state["state"]) == (1, "unprotected") and "no base backup" in state["why"]
    code, record = _program(host, "backup", "--run", "molecule")
    assert code == 0, record["problems"]
    assert record["run"] == "molecule" and record["bytes"] > 10_000_000 and record["wal_lag_bytes"] >= 0
    assert record["mark"]["figures"]["hash"] and record["files_snapshot"] and record["config_snapshot"]
    assert _program(host, "watch")[0] == 0
    host.run_expect([0], "runuser -u barman -- barman check mems1")


def test_what_a_killed_backup_left_goes_with_the_next(host):
    """A half base backup does not stay, and the whole one is the newest."""
    backup = "python3 -B /usr/local/lib/amc/backup/backup.py --server mems1"
    killed = f"systemd-run --quiet --collect --unit=killed --property=KillSignal=SIGKILL {backup}"
    wait = "until pgrep -u barman -f pg_basebackup.*--pgdata; do sleep 0.02; done"
    host.run_expect([0], f"{killed}; timeout 60 bash -c '{wait}'; systemctl stop killed")
    listed = "runuser -u barman -- barman list-backups mems1"
    assert "STARTED" in host.check_output(listed) or "FAILED" in host.check_output(listed)
    code, record = _program(host, "backup")
    assert code == 0, record["problems"]
    assert host.check_output(listed).split()[1] == record["id"]
    assert "STARTED" not in host.check_output(listed) and "FAILED" not in host.check_output(listed)


def test_retention_is_the_contracts_and_secrets_are_the_pullers(host):
    """What the contract says reaches Barman; nobody else reads the passwords."""
    shown = host.check_output("runuser -u barman -- barman show-servers mems1")
    assert "retention_policy: RECOVERY WINDOW OF 30 DAYS" in shown
    for name in ("pgpass", "restic-password", "server.json"):
        assert (host.file(f"{STATE}/{name}").user, host.file(f"{STATE}/{name}").mode) == ("barman", 0o600)
    assert host.file(STATE).mode == 0o700


def test_every_night_and_every_minute(host):
    """The timers of this server are on, at the contract's hour; nothing failed."""
    for name in ("amc-backup-nightly@mems1.timer", "amc-backup-watch@mems1.timer", "barman-wal@mems1"):
        assert host.service(name).is_enabled and host.service(name).is_running, name
    shown = host.check_output("systemctl show -P TimersCalendar amc-backup-nightly@mems1.timer")
    assert "*-*-* 01:30:00 UTC" in shown
    failed = "systemctl --failed --no-legend --plain | cut -d' ' -f1"
    said = f"for unit in $({failed}); do systemctl status --no-pager -l -n 30 $unit || true; done"
    assert host.check_output(said) == ""
