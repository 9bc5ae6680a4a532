"""What role monitor promises, seen from the M EMS server and from elsewhere."""

import http.client
import ssl

testinfra_hosts = ["ansible://mems"]

UNITS = (
    "amc-monitor-exporter",
    "amc-monitor-tls",
    "prometheus-node-exporter",
    "prometheus-postgres-exporter",
)


def test_everything_runs_and_nothing_is_restarted_again_and_again(host):
    for unit in UNITS:
        shown = host.check_output(
            f"systemctl show -p ActiveState -p NRestarts -p UnitFileState {unit}"
        ).split()
        assert sorted(shown) == ["ActiveState=active", "NRestarts=0", "UnitFileState=enabled"], unit
    assert host.service("amc-monitor-check.timer").is_enabled
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_only_the_way_in_listens_to_others(host):
    """The exporters are on loopback; the way in has no key of the monitoring server."""
    open_ports = "ss -Hltn | awk '{print $4}' | grep -v ^127 | grep -oE '[0-9]+$' | sort -nu"
    assert {"9100", "9187", "9188"} & set(host.check_output(open_ports).split()) == set()
    assert "9443" in host.check_output(open_ports).split()
    assert host.check_output("grep -rlE 'PRIVATE KEY|password' /etc/amc-monitor || true") == ""
    shown = host.check_output("ps -o user:32= -p $(systemctl show -P MainPID amc-monitor-tls)")
    assert shown.strip() == "amc-monitor"


def test_the_database_s_role_reads_figures_only(host):
    """No password, no table of M EMS; the hardened server lets it in by the socket as who it is."""
    sql = "runuser -u prometheus -- psql -XAt -d postgres -c"
    assert host.check_output(f'{sql} "SELECT current_user"') == "prometheus"
    assert host.run(f'{sql} "CREATE TABLE t (a int)"').rc != 0
    refused = host.run('runuser -u prometheus -- psql -XAt -d mems -c "SELECT login FROM res_user"')
    assert refused.rc != 0
    kept = "SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'prometheus'"
    assert host.check_output(f'runuser -u postgres -- psql -XAtc "{kept}"') == "t"
    may = "SELECT has_database_privilege('public', 'mems', 'CONNECT')"
    assert host.check_output(f'runuser -u postgres -- psql -XAtc "{may}"') == "f"


def _counted(host):
    page = host.check_output("curl -sf http://127.0.0.1:9188/metrics").splitlines()
    values = dict(line.rsplit(" ", 1) for line in page if not line.startswith("#"))
    requests = {name: int(value) for name, value in values.items() if name.startswith("mems_requests_total")}
    return sum(requests.values()), int(values["mems_request_duration_seconds_count"])


def test_users_requests_are_counted_and_nothing_else(host, addresses, until):
    """Neither the check's own, nor a long poll, nor the redirect to https."""
    before, _ = _counted(host)
    host.run_expect([0], "/usr/local/lib/mems/check")
    tls = ssl._create_unverified_context()
    for path in ("/", "/mems/bus", "/no-such-page"):
        connection = http.client.HTTPSConnection(addresses["mems1"], context=tls, timeout=10)
        connection.request("POST", path, "{}", {"Content-Type": "application/json"})
        connection.getresponse().read()
    plain = http.client.HTTPConnection(addresses["mems1"], timeout=10)
    plain.request("GET", "/")
    assert plain.getresponse().status == 301
    assert until(lambda: _counted(host) == (before + 2, before + 2), 5)
    kept = host.check_output("tail -n 2 /var/log/nginx/mems-requests.log").splitlines()
    assert all(len(line.split()) == 2 for line in kept)  # a status and seconds, nobody's address


def test_announced_maintenance_is_told(host):
    """By whoever puts the file there."""
    page = "curl -sf http://127.0.0.1:9188/metrics | grep ^mems_maintenance"
    assert host.check_output(page) == "mems_maintenance 0"
    host.run_expect([0], "touch /run/amc/maintenance")
    assert host.check_output(page) == "mems_maintenance 1"
    host.run_expect([0], "rm /run/amc/maintenance")


def test_the_firewall_of_role_harden_lets_in_the_monitoring_server_alone(host, addresses):
    """Also after it is loaded anew, as at a boot."""
    host.run_expect([0], "nft -f /etc/nftables.conf")
    rules = host.check_output("nft list chain inet amc input")
    assert "policy drop" in rules
    assert rules.count("9443") == 1
    assert f"ip saddr {addresses['backup1']} tcp dport 9443 accept" in rules
