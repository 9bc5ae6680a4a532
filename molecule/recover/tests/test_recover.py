"""What role recover promises, seen from the server that was recovered to the newest state."""

import json

import pytest

testinfra_hosts = ["ansible://mems"]

RUN = "/var/lib/amc/runs/molecule"


@pytest.fixture
def report(host):
    """The report of the first run: the second one found it finished."""
    return json.loads(host.file(f"{RUN}/recover.json").content_string)


def test_nothing_was_lost(report):
    """Stopped in order, so the backup server had all of it, and replay went past its last record."""
    assert report["finished"] and report["lost_seconds"] == 0.0 and report["problems"] == []
    assert report["stopped_in_order_at"] == report["received"]["lsn"]
    assert report["missing_attachments"] == []
    assert report["timeline"] == 2


def test_mems_answers_and_would_after_a_boot(host):
    """By real business calls; nothing is left masked, and no unit is failed."""
    assert json.loads(host.check_output("/usr/local/lib/mems/check"))["ok"] is True
    assert host.check_output("systemctl is-enabled nginx mems@8001.service mems@8001.socket") == "\n".join(
        ["enabled"] * 3
    )
    assert host.run("systemctl list-unit-files --state=masked --no-legend 'mems*' 'nginx*'").stdout == ""
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_the_way_in_is_gone(host):
    """Its user, its folder, its port, and what was copied."""
    assert not host.user("amc-recover").exists
    assert not host.file("/run/amc-recover").exists
    assert not host.socket("tcp://0.0.0.0:2222").is_listening
    assert (
        host.check_output(
            "ls -d /srv/mems/amc-incoming* /var/lib/postgresql/15/amc-incoming* 2>/dev/null | wc -l"
        )
        == "0"
    )


def test_what_was_there_is_set_aside_for_root_only(host, report):
    """Database and files, each where the report says."""
    assert sorted(item["kind"] for item in report["set_aside"]) == ["database", "files"]
    for item in report["set_aside"]:
        assert host.file(item["to"]).is_directory
    assert host.file("/var/lib/amc/set-aside/molecule/set-aside.json").mode == 0o600
    assert host.file(f"{RUN}/recover.json").mode == 0o600


def test_the_cluster_keeps_no_settings_of_the_recovery(host):
    """A later one would stumble over an old target."""
    own = host.file("/var/lib/postgresql/15/main/postgresql.auto.conf").content_string
    assert "restore_command" not in own and "recovery_target" not in own
    assert not host.file("/var/lib/postgresql/15/main/standby.signal").exists
