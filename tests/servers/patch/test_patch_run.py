"""A patch on a real server: refused, cut short, failed and gone on with, never twice, and its report.

The tests of this module share one server and build on each other in the order they stand here.
"""

import json
import re
import signal
from pathlib import Path

import pytest
from patching import PatchedServer, Playbook, descendants, end

LOG = "/var/lib/amc/runs/story/apt.log"
REFUSED = "is not patched, and nothing on it was touched"


def pending(server: PatchedServer) -> dict[str, str]:
    """Package -> version that apt would bring, by apt's own words."""
    server.shell("sudo apt-get -q update --error-on=any")
    simulated = server.shell("apt-get -s upgrade --with-new-pkgs")
    return dict(re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", simulated, re.M))


@pytest.fixture(scope="module")
def pending_before(server: PatchedServer) -> dict[str, str]:
    """What was pending before the first test; the lab's image is months behind, so never nothing."""
    found = pending(server)
    assert found
    return found


def test_refused_when_mems_is_down(server: PatchedServer, pending_before: dict[str, str]) -> None:
    """With nginx stopped the preflight says that M EMS is not healthy; no package or folder has changed."""
    before = server.fingerprint()
    server.shell("sudo systemctl stop nginx")
    done = Playbook(server, "refused-mems").run()
    server.shell("sudo systemctl start nginx")
    assert done.returncode != 0
    assert REFUSED in done.stdout
    assert "M EMS is not healthy before the patch: /usr/local/lib/mems/check ended with" in done.stdout
    assert server.fingerprint() == before


def test_refused_when_the_disk_is_too_small(server: PatchedServer) -> None:
    """16 MiB for the packages: refused with the numbers and the mend, nothing has changed."""
    before = server.fingerprint()
    server.shell("sudo mount -t tmpfs -o size=16m tmpfs /var/cache/apt/archives")
    done = Playbook(server, "refused-disk").run()
    server.shell("sudo umount /var/cache/apt/archives")
    assert done.returncode != 0
    assert REFUSED in done.stdout
    assert re.search(
        r"/var/cache/apt/archives has 1\d MiB free, the patch needs \d+ MiB and a margin of 256", done.stdout
    )
    assert "M EMS is not healthy" not in done.stdout
    assert server.fingerprint() == before


def test_refused_while_another_run_works(server: PatchedServer) -> None:
    """A unit of another run is active: refused, and the unit is named."""
    server.shell("sudo systemd-run --quiet --collect --unit=amc-other-apt sleep 300")
    done = Playbook(server, "refused-busy").run()
    server.shell("sudo systemctl stop amc-other-apt")
    assert done.returncode != 0
    assert "another run is at work on this server: the unit amc-other-apt.service is active" in done.stdout


def test_check_mode_names_the_updates_and_changes_nothing(
    server: PatchedServer, pending_before: dict[str, str]
) -> None:
    """--check lists each pending package with its new version, and leaves the server as it is."""
    before = server.fingerprint()
    done = Playbook(server, "looked").run("--check")
    assert done.returncode == 0, done.stdout
    assert [
        name
        for name, to in pending_before.items()
        if not re.search(rf"\b{re.escape(name)} \S+ -> {re.escape(to)}", done.stdout)
    ] == []
    assert server.fingerprint() == before


def test_a_failing_apt_is_said_with_its_log_and_reported(
    server: PatchedServer, pending_before: dict[str, str], evidence: Path
) -> None:
    """A folder that a package can't write to: the last lines of the log are shown, the report says failed."""
    package = next(name for name in pending_before if server.succeeds(f"test -d /usr/share/doc/{name}"))
    folder = f"/usr/share/doc/{package}"
    server.shell(f"sudo mount --bind {folder} {folder} && sudo mount -o remount,bind,ro {folder}")
    done = Playbook(server, "story", evidence).run()
    server.shell(f"sudo umount {folder}")
    assert done.returncode != 0
    assert "The updates were not all applied" in done.stdout
    assert "Read-only file system" in done.stdout
    report = json.loads((evidence / server.name / "patch.json").read_text())
    assert report["unit"]["result"] == "failed"
    assert report["restarted"] == []
    assert not server.succeeds("test -e /usr/sbin/policy-rc.d")


def test_a_server_that_goes_down_in_the_middle_is_gone_on_with(server: PatchedServer, evidence: Path) -> None:
    """The server restarts without a goodbye while dpkg unpacks: the attempt stays recorded without an end,
    M EMS comes back with the server, and the next attempt (the next test) goes on with what is half done."""
    unpacked = server.lines_of(LOG, "Unpacking")
    running = Playbook(server, "story", evidence).start()
    server.wait(f"test $(sudo grep -c ^Unpacking {LOG}) -gt {unpacked}", "apt to unpack", 120)
    server.succeeds("sudo systemctl reboot --force --force")
    assert running.wait(60) != 0
    server.wait("sudo /usr/local/lib/mems/check", "M EMS to answer after the restart", 90)
    state = json.loads(server.shell("sudo cat /var/lib/amc/runs/story/apt.json"))
    assert [attempt["rc"] for attempt in state["attempts"]] == [1, None]


def test_a_lost_controller_costs_nothing_and_repeats_nothing(server: PatchedServer, evidence: Path) -> None:
    """kill -9 of ansible-playbook, its workers and its ssh while apt works: the unit works on; the same run
    id again waits for it, goes on to the end, and has started no second apt."""
    unpacked = server.lines_of(LOG, "Unpacking")
    playbook = Playbook(server, "story", evidence)
    running = playbook.start()
    server.wait(f"test $(sudo grep -c ^Unpacking {LOG}) -gt {unpacked}", "apt to unpack", 120)
    mine = [running.pid, *descendants(running.pid), *playbook.connections()]
    end(mine, signal.SIGKILL)
    running.wait(10)
    assert server.shell("systemctl is-active amc-story-apt || true") == "active\n"
    done = playbook.run()
    assert done.returncode == 0, done.stdout + done.stderr
    state = json.loads(server.shell("sudo cat /var/lib/amc/runs/story/apt.json"))
    assert [attempt["rc"] for attempt in state["attempts"]] == [1, None, 0]
    assert server.apt_upgrades() == 3


def test_the_report_names_every_package_and_nothing_is_left(
    server: PatchedServer, pending_before: dict[str, str], evidence: Path
) -> None:
    """Each package that apt listed is in the report with the version now installed; CVEs are those of the
    changelogs; M EMS answers; no service runs on old files; nothing is pending, failed or left behind."""
    report = json.loads((evidence / server.name / "patch.json").read_text())
    reported = {package["name"]: package["to"] for package in report["packages"]}
    assert {name: reported.get(name) for name in pending_before} == pending_before
    installed = dict(
        line.split() for line in server.shell("dpkg-query -W -f '${Package} ${Version}\n'").splitlines()
    )
    assert {name: installed[name] for name in pending_before} == pending_before
    assert pending(server) == {}
    assert report["unit"]["result"] == "success"
    assert report["cves"] == sorted({cve for package in report["packages"] for cve in package["cves"]})
    named = next(package for package in report["packages"] if package["cves"])
    assert named["cves"][0] in server.shell(f"zcat -f /usr/share/doc/{named['name']}/changelog*")
    assert report["check_before"] and report["check_after"]["exit_code"] == 0
    assert (report["left_on_old_libraries"], report["failed_units"], report["no_changelog"]) == ([], [], [])
    assert server.shell("sudo needrestart -b -r l | grep -c SVC || true").strip() == "0"
    assert not server.succeeds("test -e /usr/sbin/policy-rc.d")
    assert server.shell("systemctl list-units --all --no-legend 'amc-*'") == ""


def test_the_same_run_id_once_more_changes_nothing(server: PatchedServer, evidence: Path) -> None:
    """Ansible counts no change, and on the server and among the evidence no file is other than before."""
    before = server.fingerprint(), server.run_files("story")
    fetched = (evidence / server.name / "patch.json").read_bytes()
    done = Playbook(server, "story", evidence).run()
    assert " changed=0 " in done.stdout
    assert (server.fingerprint(), server.run_files("story")) == before
    assert (evidence / server.name / "patch.json").read_bytes() == fetched


def test_by_hand_is_opened_anew_when_there_is_something_to_do(server: PatchedServer) -> None:
    """With a service on replaced files the second run by hand restarts it; that one without anything to do
    changes nothing is Molecule's."""
    assert " changed=2 " in Playbook(server, "").run().stdout  # opened, and reported
    server.shell("sudo cp -a /usr/sbin/cron /usr/sbin/cron.new && sudo mv /usr/sbin/cron.new /usr/sbin/cron")
    done = Playbook(server, "").run()
    assert done.returncode == 0, done.stdout
    assert json.loads(server.shell("sudo cat /var/lib/amc/runs/by-hand/patch.json"))["restarted"] == [
        "cron.service"
    ]


def test_a_service_that_does_not_come_back_fails_the_run_in_words(
    server: PatchedServer, evidence: Path
) -> None:
    """nginx works, but its configuration on disk is broken and its program was replaced: its restart fails,
    the run says so, and the report is fetched with the failed unit and M EMS's silence in it."""
    server.shell(
        "sudo cp -a /usr/sbin/nginx /usr/sbin/nginx.new && sudo mv /usr/sbin/nginx.new /usr/sbin/nginx"
    )
    server.shell("echo 'no such directive;' | sudo tee /etc/nginx/conf.d/broken.conf")
    done = Playbook(server, "broken", evidence).run()
    server.shell("sudo rm /etc/nginx/conf.d/broken.conf && sudo systemctl start nginx")
    assert done.returncode != 0
    assert "nginx.service did not come back" in done.stdout
    report = json.loads((evidence / server.name / "patch.json").read_text())
    assert report["failed_units"] == ["nginx.service"]
    assert report["check_after"]["exit_code"] != 0
    assert report["packages"] == []
