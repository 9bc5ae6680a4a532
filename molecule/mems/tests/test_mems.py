"""What role mems promises to every profile."""


def _sql(host, statement: str, database: str = "postgres") -> str:
    return host.check_output("runuser -u postgres -- psql -XAt -d %s -c %s", database, statement)


def test_pages_have_checksums_and_a_damaged_one_is_noticed(host):
    """A byte flipped in a table's file makes PostgreSQL refuse the page instead of serving it."""
    assert _sql(host, "SHOW data_checksums") == "on"
    _sql(host, "CREATE TABLE damage AS SELECT generate_series(1, 1000) AS n; CHECKPOINT")
    file = "/var/lib/postgresql/15/main/" + _sql(host, "SELECT pg_relation_filepath('damage')")
    host.run_expect([0], "systemctl stop postgresql@15-main")
    host.run_expect([0], f"printf X | dd of={file} bs=1 seek=4000 conv=notrunc status=none")
    host.run_expect([0], "systemctl start postgresql@15-main")
    read = host.run("runuser -u postgres -- psql -XAt -c 'SELECT sum(n) FROM damage'")
    assert read.rc != 0 and "invalid page" in read.stderr
    _sql(host, "DROP TABLE damage")


def test_postgresql_listens_to_this_server_only_and_takes_settings(host):
    """The role's settings are in force, and the inventory's win over them."""
    assert _sql(host, "SHOW log_min_duration_statement") == "500ms"
    assert _sql(host, "SHOW password_encryption") == "scram-sha-256"
    listening = host.check_output("ss -Hltn sport = :5432").split("\n")
    assert {line.split()[3].rsplit(":", 1)[0] for line in listening} <= {"127.0.0.1", "[::1]"}


def test_the_application_reaches_its_database_without_a_password(host):
    """By PostgreSQL's socket as the system user mems, which owns the database; sorted as people sort."""
    query = "SELECT string_agg(n, '' ORDER BY n) FROM (VALUES ('Z'), ('a'), ('é'), ('f')) AS t(n)"
    done = host.check_output("runuser -u mems -- psql -XAt -d mems -c %s", query)
    assert done == "aéfZ"
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'mems'"
    assert _sql(host, owner) == "mems"


def test_http_leads_to_https(host):
    """The plain port answers only by the address of the encrypted one."""
    said = host.check_output("curl -s -o /dev/null -w '%{http_code} %{redirect_url}' http://127.0.0.1/x?y=1")
    assert said == "301 https://127.0.0.1/x?y=1"


def test_the_certificate_is_the_names_and_the_customers_own_authority_made_it(host):
    """Verified by the CA it answers (502: no profile yet); without the CA, or by another name, not."""
    name = host.check_output("hostname")
    call = f"curl -s -o /dev/null -w '%{{http_code}}' --connect-to ::127.0.0.1: https://{name}/"
    assert host.check_output(f"{call} --cacert /etc/mems/tls/ca.pem") == "502"
    assert host.run(call).rc == 60
    other = call.replace(f"https://{name}/", "https://else.example/")
    assert host.run(f"{other} --cacert /etc/mems/tls/ca.pem").rc == 60


def test_only_root_reads_the_private_key(host):
    """Mode 0600, and it is the certificate's."""
    key = host.file("/etc/mems/tls/key.pem")
    assert (key.user, oct(key.mode)) == ("root", "0o600")
    public = host.check_output("openssl pkey -in /etc/mems/tls/key.pem -pubout")
    assert host.check_output("openssl x509 -in /etc/mems/tls/cert.pem -noout -pubkey") == public


def test_old_tls_is_refused(host):
    """TLS 1.1 gets no answer."""
    assert host.run("curl -sk --tls-max 1.1 --ciphers DEFAULT@SECLEVEL=0 https://127.0.0.1/").rc == 35


def test_the_pair_is_there_and_nothing_runs_without_a_profile(host):
    """Both instances have their units; none is enabled, none is failed."""
    for unit in ("mems@8001.socket", "mems@8001.service", "mems@8002.socket", "mems@8002.service"):
        shown = host.check_output(f"systemctl show {unit} -p LoadState,ActiveState,UnitFileState")
        assert shown.split("\n") == ["LoadState=loaded", "ActiveState=inactive", "UnitFileState=disabled"]
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_the_live_instance_is_named_in_one_place(host):
    """nginx includes the file that patches and updates change."""
    assert host.file("/etc/nginx/mems-live.conf").content_string == "server 127.0.0.1:8001;\n"
    assert "server 127.0.0.1:8001;" in host.check_output("nginx -T 2>/dev/null")


def test_bursts_wait_in_the_kernel(host):
    """The kernel's limit allows the backlog that the sockets ask for."""
    assert int(host.check_output("cat /proc/sys/net/core/somaxconn")) >= 1024


def test_the_authority_stays_on_the_controller(host):
    """The server holds the CA's certificate, not its key."""
    assert host.run("grep -rl 'PRIVATE KEY' /etc/mems").stdout == "/etc/mems/tls/key.pem\n"


def test_a_restart_that_was_lost_is_made_good(host):
    """reapply runs its command when a file changed since it last ended well, and again when it failed."""
    reapply = "/usr/local/lib/mems/reapply proof 'echo ran >> /tmp/proof; test ! -e /tmp/fail' /tmp/read"
    host.check_output("rm -f /tmp/proof /var/lib/mems/applied/proof; echo 1 > /tmp/read; touch /tmp/fail")
    assert host.run(reapply).rc != 0
    host.check_output("rm /tmp/fail")
    assert host.check_output(f"{reapply}; {reapply}").split() == ["changed", "unchanged"]
    host.check_output("echo 2 > /tmp/read")
    assert host.check_output(reapply.replace("reapply proof", "reapply --look proof")) == "changed"
    assert host.check_output(reapply) == "changed"
    assert host.check_output("wc -l < /tmp/proof") == "3"
