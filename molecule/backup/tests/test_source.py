"""What role backup promises, seen from the M EMS server."""

testinfra_hosts = ["ansible://mems"]

KEYS = "/var/lib/amc-backup/.ssh/authorized_keys"


def _sql(host, statement: str) -> str:
    return host.check_output("runuser -u postgres -- psql -XAt -d postgres -c %s", statement)


def test_postgresql_listens_and_has_a_limit_for_an_absent_backup_server(host):
    """Settings in force, not only written."""
    assert _sql(host, "SHOW listen_addresses") == "*"
    assert _sql(host, "SHOW max_slot_wal_keep_size") == "512MB"
    assert _sql(host, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"


def test_only_the_two_roles_come_in_from_elsewhere(host):
    """One address, encrypted, with a password; nobody else from another machine."""
    rules = "SELECT type, database, user_name, netmask, auth_method FROM pg_hba_file_rules WHERE address"
    rules += " NOT IN ('127.0.0.1', '::1') ORDER BY line_number"
    mask = "255.255.255.255|scram-sha-256"
    assert _sql(host, rules).split("\n") == [
        f"hostssl|{{postgres}}|{{barman}}|{mask}",
        f"hostssl|{{replication}}|{{streaming_barman}}|{mask}",
    ]


def test_the_roles_have_the_least_that_works(host):
    """Neither is a superuser, reads M EMS's tables or another role's files; one streams."""
    shown = "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls, rolreplication"
    shown += " FROM pg_roles WHERE rolname LIKE '%barman%' ORDER BY 1"
    assert _sql(host, shown) == "barman|f|f\nstreaming_barman|f|t"
    groups = "SELECT string_agg(r.rolname, ' ' ORDER BY r.rolname) FROM pg_auth_members m JOIN pg_roles r"
    groups += " ON r.oid = roleid WHERE member IN (SELECT oid FROM pg_roles WHERE rolname LIKE '%barman%')"
    assert _sql(host, groups) == "pg_checkpoint pg_read_all_settings pg_read_all_stats"
    read = host.run(
        "runuser -u postgres -- psql -XAt -d mems -c 'SET ROLE barman; SELECT 1 FROM ir_attachment'"
    )
    assert read.rc != 0 and "permission denied" in read.stderr


def test_no_key_to_the_backup_server_is_here(host):
    """Not for the way in, not for root, not for PostgreSQL; the way in itself can't change what it may."""
    assert host.check_output("find /var/lib/amc-backup /root /var/lib/postgresql -name 'id_*'") == ""
    assert host.file(KEYS).user == "root"
    assert host.run("runuser -u amc-backup -- sh -c 'echo x >> %s'", KEYS).rc != 0
    line = host.file(KEYS).content_string
    assert line.startswith('restrict,from="') and line.count("\n") == 1


def test_the_way_in_is_root_for_one_program_only(host):
    """sudo refuses everything else, and the program refuses what it was not made for."""
    assert host.run("runuser -u amc-backup -- sudo -n cat /etc/shadow").rc != 0
    assert host.run("runuser -u amc-backup -- sudo -n /usr/local/lib/amc/backup/send figures").rc != 0
    for request in (
        "",
        "sh",
        "figures; id",
        "rsync --server . /",
        "store --server -e.LsfxC . /",
        "store --daemon",
    ):
        said = host.run(
            "SSH_ORIGINAL_COMMAND=%s runuser -u amc-backup -- sudo -n /usr/local/lib/amc/backup/send", request
        )
        assert said.rc == 1 and "is not sent from here" in said.stderr, request


def test_mems_answers_and_nothing_failed(host):
    """After PostgreSQL was restarted to listen."""
    host.run_expect([0], "/usr/local/lib/mems/check")
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
