"""The server is what the plan said, and uses it."""


def test_the_server_shows_its_specification(host):
    assert host.check_output("nproc") == "1"
    memory = int(host.check_output("awk '/^MemTotal/ {print $2}' /proc/meminfo")) // 1024
    assert abs(memory - 2048) < 205


def test_postgresql_has_a_quarter_of_it(host):
    assert host.check_output("runuser -u postgres -- psql -XAtc 'SHOW shared_buffers'") == "512MB"


def test_users_are_in(host):
    assert host.run_test("/usr/local/lib/mems/check").rc == 0
    assert not host.file("/etc/nginx/snippets/mems-maintenance.conf").exists
    assert host.check_output("systemctl --failed --no-legend --plain") == ""
