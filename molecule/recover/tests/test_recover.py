"""What role recover promises, seen from the server whose attachment came back."""

import json

import pytest

testinfra_hosts = ["ansible://mems"]

RUN = "/var/lib/amc/runs/molecule"


@pytest.fixture
def report(host):
    """The report of the first run: the second one found it finished."""
    return json.loads(host.file(f"{RUN}/recover.json").content_string)


def test_the_attachment_is_back_and_m_ems_its_owner(host, report):
    """And nothing was in its place that had to be set aside."""
    file = host.file("/srv/mems/files/molecule")
    assert (file.content_string, file.user, file.group) == ("kept", "mems", "mems")
    assert report["finished"] and report["problems"] == [] and report["set_aside"] == []


def test_mems_answers(host):
    """By real business calls; nothing was stopped meanwhile, and no unit is failed."""
    for unit in ("nginx", "mems@8001.service", "postgresql@15-main"):
        started = f'"$(systemctl show -P ActiveEnterTimestamp {unit})"'
        assert host.check_output(f"find {RUN}/recover-begun.json -newermt {started}"), unit
    assert json.loads(host.check_output("/usr/local/lib/mems/check"))["ok"] is True
    assert host.run("systemctl list-unit-files --state=masked --no-legend 'mems*' 'nginx*'").stdout == ""
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_the_way_in_is_gone(host):
    """Its user, its folder, its port, and what was copied."""
    assert not host.user("amc-recover").exists
    assert not host.file("/run/amc-recover").exists
    assert not host.socket("tcp://0.0.0.0:2222").is_listening
    left = "ls -d /srv/mems/amc-incoming* /var/lib/postgresql/15/amc-incoming* 2>/dev/null | wc -l"
    assert host.check_output(left) == "0"


def test_the_report_is_roots(host):
    """It names what was lost."""
    assert host.file(f"{RUN}/recover.json").mode == 0o600
