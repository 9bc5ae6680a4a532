"""What role patch promises, seen from the server."""

import json


def report(host):
    """The report by hand: that of the first run, since the second one had nothing to do."""
    return json.loads(host.check_output("cat /var/lib/amc/runs/by-hand/patch.json"))


def test_a_patch_without_a_proven_backup_says_why(host):
    """The reason that was given, and what it stands in for."""
    (override,) = report(host)["overrides"]
    assert override["reason"] == "the scenario has no backup server"
    assert "no backup server is in the inventory" in override["what"]


def test_nothing_is_pending(host):
    """apt itself, with fresh lists, has nothing to bring."""
    host.run_expect([0], "apt-get -q update --error-on=any")
    assert "Inst " not in host.check_output("apt-get -s upgrade --with-new-pkgs")


def test_every_package_is_configured(host):
    """dpkg has nothing half-way."""
    assert host.check_output("dpkg --audit") == ""


def test_mems_answers(host):
    """By real business calls."""
    assert json.loads(host.check_output("/usr/local/lib/mems/check"))["ok"] is True


def test_no_service_runs_on_replaced_files(host):
    """needrestart names no service, and no unit is failed."""
    assert "NEEDRESTART-SVC" not in host.check_output("needrestart -b -r l")
    assert host.check_output("systemctl --failed --no-legend --plain") == ""


def test_the_second_run_did_nothing(host):
    """Measured on the server, not by Ansible's word: apt upgraded once, and the first run's report stands."""
    last = report(host)
    assert last["packages"] and last["restarted"]
    assert [attempt["rc"] for attempt in last["unit"]["attempts"]] == [0]
    assert host.check_output("grep -cE '^Commandline: apt-get .* upgrade' /var/log/apt/history.log") == "1"


def test_reports_are_roots(host):
    """A report names what was open: only root reads it."""
    folder = host.file("/var/lib/amc/runs/by-hand")
    assert (folder.mode, folder.user) == (0o700, "root")
    assert host.file("/var/lib/amc/runs/by-hand/patch.json").mode == 0o600


def test_nothing_stays_behind(host):
    """No policy that forbids restarts, no unit of ours, no scratch folder."""
    assert not host.file("/usr/sbin/policy-rc.d").exists
    assert host.check_output("systemctl list-units --all --no-legend 'amc-*'") == ""
    assert host.check_output("ls /var/tmp | grep -c amc- || true") == "0"
