"""The playbooks deploy and check on a server that runs M EMS, run by hand as an engineer would."""

import json
import re
import time
from pathlib import Path

from mems_server import NAME, MemsServer


def _recap(output: str) -> dict[str, int]:
    line = next(line for line in output.splitlines() if line.startswith(f"{NAME} ") and "ok=" in line)
    return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line)}


def test_check_brings_a_report(mems: MemsServer, tmp_path: Path) -> None:
    """The report lies on the server (root only) and in the evidence folder: answer and figures."""
    done = mems.play("check", "-e", "amc_run_id=run-1", "-e", f"amc_evidence_dir={tmp_path}")
    assert done.returncode == 0, done.stdout
    report = json.loads((tmp_path / NAME / "check.json").read_text())
    assert (report["server"], report["activity"], report["check"]["ok"]) == (NAME, "check", True)
    assert report["figures"]["counts"]["parties"] > 0
    mode = mems.root("stat -c %a:%U /var/lib/amc/runs/run-1 /var/lib/amc/runs/run-1/check.json").stdout
    assert mode.split() == ["700:root", "600:root"]


def test_check_fails_in_words_and_still_reports(mems: MemsServer, tmp_path: Path) -> None:
    """With nginx stopped the playbook fails, names the reason, and the report is there all the same."""
    mems.root("systemctl stop nginx")
    try:
        done = mems.play("check", "-e", "amc_run_id=run-2", "-e", f"amc_evidence_dir={tmp_path}")
    finally:
        mems.root("systemctl start nginx")
    assert done.returncode == 2
    assert "nginx does not answer on port 443" in done.stdout
    report = json.loads((tmp_path / NAME / "check.json").read_text())
    assert report["check"]["reason"] == "nginx_down"
    assert report["figures"]["counts"]["parties"] > 0


def test_check_in_check_mode_leaves_nothing(mems: MemsServer) -> None:
    """It asks M EMS all the same, and writes no report."""
    done = mems.play("check", "--check", "-e", "amc_run_id=run-3")
    assert done.returncode == 0, done.stdout
    assert _recap(done.stdout)["changed"] == 0
    assert mems.root("test -e /var/lib/amc/runs/run-3").returncode == 1


def test_deploy_mends_what_was_changed_by_hand(mems: MemsServer) -> None:
    """A password, a key's mode and a setting: check mode names them, deploy mends them, M EMS answers."""
    update = "UPDATE res_user SET password_hash = NULL WHERE login = \\$\\$mems_check\\$\\$"
    assert mems.root(f'runuser -u postgres -- psql -qX -d mems -c "{update}"').returncode == 0
    assert mems.root("chmod 644 /etc/mems/tls/key.pem; echo >> /etc/nginx/nginx.conf").returncode == 0
    said = mems.play("deploy", "--check")
    assert _recap(said.stdout)["failed"] == 0
    assert _recap(said.stdout)["changed"] >= 3, said.stdout
    assert mems.root("/usr/local/lib/mems/check").returncode == 1
    done = mems.play("deploy")
    assert done.returncode == 0, done.stdout
    assert mems.root("/usr/local/lib/mems/check").returncode == 0
    assert mems.root("stat -c %a /etc/mems/tls/key.pem").stdout.strip() == "600"


def test_mems_is_back_after_a_reboot(mems: MemsServer) -> None:
    """A boot starts PostgreSQL, the live instance and nginx by itself."""
    boot = "systemctl show -p UserspaceTimestampMonotonic"
    before = mems.root(boot).stdout
    mems.root("systemctl reboot")
    until = time.monotonic() + 90
    while (now := mems.root(boot).stdout) in ("", before):
        assert time.monotonic() < until, f"waited 90 s for a new boot, it is still {now or 'away'}"
        time.sleep(0.5)
    answered = mems.root("for n in $(seq 60); do /usr/local/lib/mems/check && exit; sleep 1; done; exit 1")
    assert answered.returncode == 0, answered.stdout
    assert mems.root("systemctl --failed --no-legend --plain").stdout == ""
