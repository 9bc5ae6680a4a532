"""What role monitoring_server promises, and that it really gets what it asks for."""

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

testinfra_hosts = ["ansible://monitoring_server"]

EPHEMERAL = Path(os.environ.get("MOLECULE_EPHEMERAL_DIRECTORY", "."))
SECRETS = EPHEMERAL / "secrets"
AUTHORITY = Path(__file__).parents[3] / "roles/mems/files/authority.sh"
NAMES = """
up pg_up node_cpu_seconds_total node_memory_MemTotal_bytes node_memory_MemAvailable_bytes node_vmstat_oom_kill
node_pressure_cpu_waiting_seconds_total node_pressure_memory_waiting_seconds_total
node_pressure_io_waiting_seconds_total node_filesystem_size_bytes{mountpoint="/"}
node_filesystem_avail_bytes{mountpoint="/"} node_load1
pg_stat_database_numbackends{datname="mems"} pg_stat_database_xact_commit{datname="mems"}
pg_settings_shared_buffers_bytes pg_settings_max_connections pg_database_size_bytes{datname="mems"}
mems_check_success mems_check_timestamp_seconds mems_maintenance
mems_check_duration_seconds{part="login"} mems_check_duration_seconds{part="query"}
mems_check_duration_seconds{part="total"} mems_requests_total{status="200"} mems_requests_total{status="502"}
mems_request_duration_seconds_bucket{le="0.3"} mems_request_duration_seconds_bucket{le="+Inf"}
mems_certificate_ends_timestamp_seconds{certificate="server"}
mems_certificate_ends_timestamp_seconds{certificate="monitoring"}
mems_server_cpus mems_server_memory_bytes mems_server_cpu_seconds_total mems_server_memory_working_set_bytes
mems_server_oom_kills_total mems_server_pressure_waiting_seconds_total{resource="cpu"}
mems_server_pressure_waiting_seconds_total{resource="memory"}
mems_server_pressure_waiting_seconds_total{resource="io"}
"""
SERIES = NAMES.split()
OURS = 'server="mems1",customer="by-hand"'


def _of_ours(series):
    name, _, rest = series.partition("{")
    return f"{name}{{{OURS}{',' + rest if rest else '}'}"


@pytest.mark.parametrize("series", SERIES)
def test_every_series_is_there_with_its_labels(query, until, series):
    assert until(lambda: query(_of_ours(series))["result"]), series


def test_a_server_makes_few_series(query):
    """So that 400 days of a hundred servers fit on a small disk; and none has another exporter's labels."""
    assert 0 < len(query(f"{{{OURS}}}")["result"]) < 200
    assert query('{exported_server!=""}')["result"] == []
    assert query('{__name__=~"go_.*|process_.*|pg_stat_.*",datname!="mems"}')["result"] == []
    assert query("", "status/flags")["storage.tsdb.retention.time"] == "400d"


def test_the_figures_are_those_of_the_server(host, query):
    """What Prometheus knows of its memory is what the server says itself."""
    look = "awk '/^MemTotal/ {print $2}' /proc/meminfo; nproc"
    ssh = ["ssh", "-F", EPHEMERAL / "lab/ssh_config", "mems1", look]
    said = subprocess.run(ssh, capture_output=True, text=True, check=True).stdout.split()
    told = [float(query(_of_ours(name))["result"][0]["value"][1]) for name in SERIES if "server_cpus" in name]
    assert told == [float(said[1])]
    told = [
        float(query(_of_ours(name))["result"][0]["value"][1]) for name in SERIES if "memory_bytes" in name
    ]
    assert told == [float(said[0]) * 1024]


def test_no_unit_failed(host):
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def _ask(host, address, *words):
    """HTTP status of the way in, or curl's exit code as `curl N`, from the monitoring server."""
    call = f"curl -s -o /dev/null -w '%{{http_code}}' -m 5 {' '.join(words)}"
    said = host.run(f"{call} --resolve mems1:9443:{address} https://mems1:9443/node")
    return said.stdout if said.rc == 0 else f"curl {said.rc}"


def test_the_way_in_takes_the_monitoring_server_s_certificate_only(host, addresses, tmp_path):
    """None, somebody else's, one of the same CA for another purpose or name: all refused."""
    address, home = addresses["mems1"], "/etc/prometheus/amc"
    trust = f"--cacert {home}/customers/by-hand/ca.pem"
    good = f"--cert {home}/customers/by-hand/client.pem --key {home}/client.key"
    assert _ask(host, address, trust, good) == "200"
    assert _ask(host, address, trust) == "400"
    assert _ask(host, address, f"--cacert {home}/web-ca.pem", good) == "curl 60"

    def certificate(folder, verb, name):
        key = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tmp_path / "key.pem"]
        subprocess.run(key, check=True)
        request = ["openssl", "req", "-new", "-key", tmp_path / "key.pem", "-subj", f"/CN={name}"]
        asked = subprocess.run(request, capture_output=True, check=True).stdout
        sign = ["sh", AUTHORITY, verb, folder, "1", name]
        if not (folder / "ca.pem").exists():
            subprocess.run(["sh", AUTHORITY, "make", folder, "somebody"], check=True)
        signed = subprocess.run(sign, input=asked, capture_output=True, check=True).stdout.decode()
        both = (tmp_path / "key.pem").read_text() + signed
        host.run_expect([0], "umask 077; cat > /root/other.pem <<'END'\n" + both + "END\n")
        return "--cert /root/other.pem"

    ours = SECRETS / "by-hand/ca"
    assert _ask(host, address, trust, certificate(ours, "client", "amc-monitoring")) == "200"
    assert _ask(host, address, trust, certificate(ours, "client", "somebody")) == "403"
    assert _ask(host, address, trust, certificate(ours, "sign", "amc-monitoring")) == "400"
    assert _ask(host, address, trust, certificate(tmp_path / "ca", "client", "amc-monitoring")) == "400"
    host.run_expect([0], "rm /root/other.pem")
    plain = host.run(f"curl -s -o /dev/null -w '%{{http_code}}' -m 5 http://{address}:9443/node")
    assert plain.stdout == "400"


def _opens(address, port):
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError as problem:
        return type(problem).__name__
    return "open"


def test_the_exporters_are_reached_by_no_other_way(host, addresses):
    """From the monitoring server itself the one port only; from another machine not even that."""
    for port in (9100, 9187, 9188):
        assert host.run(f"timeout 2 bash -c 'echo > /dev/tcp/{addresses['mems1']}/{port}'").rc != 0, port
    assert _opens(addresses["mems1"], 443) == "open"
    assert [_opens(addresses["mems1"], port) for port in (9100, 9188, 9443)] == ["TimeoutError"] * 3


def test_an_application_that_stopped_is_an_alert_and_its_return_ends_it(host, query, until):
    """Two failed checks ten seconds apart, then the next look of Prometheus; Alertmanager has it, too."""

    def on_server(command):
        ssh = ["ssh", "-F", EPHEMERAL / "lab/ssh_config", "mems1", f"sudo sh -c '{command}'"]
        subprocess.run(ssh, check=True, timeout=60)

    def alerts():
        found = query("", "alerts")["alerts"]
        return [each["labels"] for each in found if each["state"] == "firing"]

    assert alerts() == []
    on_server("systemctl stop mems@8001.socket mems@8001.service")
    try:
        started = time.monotonic()
        on_server("systemctl start amc-monitor-check.service")
        wanted = {"alertname": "MemsFails", "server": "mems1", "customer": "by-hand", "severity": "page"}
        assert until(lambda: [each for each in alerts() if wanted.items() <= each.items()], 20), alerts()
        # The minute between two checks is left out here: about 80 s in all, 15 s between two looks.
        assert time.monotonic() - started < 30
        failing = query(_of_ours("mems_check_failing"))["result"]
        assert [each["metric"]["reason"] for each in failing] == ["application_down"]
        told = "amtool --alertmanager.url=http://127.0.0.1:9093 alert query -o simple"
        assert until(lambda: "MemsFails" in host.check_output(told), 15)
    finally:
        on_server(
            "systemctl start mems@8001.socket mems@8001.service; systemctl start amc-monitor-check.service"
        )
    assert until(lambda: alerts() == [], 20), alerts()
