"""Hardening that would lock everybody out, deliberately, and how long until the server has undone it.

    .venv/bin/python bench/soak/lockouts.py [--seconds 90] [--only WORD...]

Each case hardens a fresh M EMS server with one additional file that breaks something (`harden_extra_files`).
In most cases the controller is killed as soon as the set is in force, so that nobody but the server can undo
it; in some the server is also restarted then. Each case ends when a new login works, sudo too; then /etc, the
firewall, kernel settings and running services must be exactly as before. Prints a line for each case: from
the beginning of the apply (or from the restart) to the undo. Exit code 1 when one took over 120 s (150 s
after a restart) or left a difference.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lab import Lab
from orchestrator import settings

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAME = "mems1"
PLAY = [str(BIN / "ansible-playbook"), "playbooks/harden.yml"]
IN_FORCE = "TASK [harden : What works now"
"""The playbook's words once the set is applied."""
DEADLINE_S, DEADLINE_AFTER_RESTART_S = 120, 150

SSHD = "/etc/ssh/sshd_config.d/00-amc.conf"
NO_SSH = (
    "table inet amc {\n chain input {\n  type filter hook input priority filter; policy drop;\n"
    "  iif lo accept\n  ct state established,related accept\n  tcp dport 443 accept\n }\n}\n"
)
DEAF_SSHD = (
    "[Service]\nType=simple\nExecStart=\nExecStart=/bin/sleep infinity\nExecReload=\nExecReload=/bin/true\n"
)
NOT_US = "AllowUsers nobody\nPermitRootLogin no\nPasswordAuthentication no\n"


@dataclass(frozen=True)
class Case:
    """`path` and `content` of the file that breaks something; empty: the set itself, nothing broken."""

    name: str
    path: str = ""
    content: str = ""
    killed: bool = True
    restarted: bool = False

    @property
    def files(self) -> list[dict[str, str]]:
        """As harden_extra_files."""
        mode = "0440" if "sudoers" in self.path else "0644"
        one = {"path": self.path, "content": self.content, "mode": mode, "why": self.name}
        return [one] if self.path else []


CASES = [
    Case("wrong sshd option", "/etc/ssh/sshd_config.d/05-x.conf", "NoSuchOption yes\n", killed=False),
    Case("sudoers that can't be read", "/etc/sudoers.d/zz", "ops ALL=(ALL\n", killed=False),
    Case("sudoers without us", "/etc/sudoers.d/zz", "ops ALL=(ALL) !ALL\n"),
    Case("firewall without SSH", "/etc/nftables.conf", NO_SSH),
    Case("AllowUsers without us", SSHD, NOT_US),
    Case("sshd on another port", "/etc/ssh/sshd_config.d/05-x.conf", "Port 2022\n"),
    Case("sshd does not listen", "/etc/systemd/system/ssh.service.d/x.conf", DEAF_SSHD),
    Case("PAM refuses", "/etc/pam.d/sshd", "account required pam_deny.so\nsession required pam_deny.so\n"),
    Case("nginx refuses everybody", "/etc/nginx/snippets/mems-x.conf", "return 503;\n", killed=False),
    Case(
        "pg_hba without the application",
        "/etc/postgresql/15/main/pg_hba.conf",
        "local all postgres peer\nlocal all all reject\n",
        killed=False,
    ),
    Case(
        "sandbox without the database",
        "/etc/systemd/system/mems@.service.d/x.conf",
        "[Service]\nInaccessiblePaths=/run/postgresql\n",
        killed=False,
    ),
    Case("controller killed in half"),
    Case("firewall without SSH, restarted", "/etc/nftables.conf", NO_SSH, restarted=True),
    Case("AllowUsers without us, restarted", SSHD, NOT_US, restarted=True),
    Case(
        "sshd does not listen, restarted",
        "/etc/systemd/system/ssh.service.d/x.conf",
        DEAF_SSHD,
        restarted=True,
    ),
]

PREPARE = (
    "set -e; apt-get -q update; ssh-keygen -q -t rsa -b 4096 -N '' -f /etc/ssh/ssh_host_rsa_key;"
    " mkdir -p /etc/systemd/system/auditd.service.d;"
    " printf '# Ansible managed\\n[Unit]\\nConditionVirtualization=!container\\n'"
    " > /etc/systemd/system/auditd.service.d/amc.conf;"
    " apt-get -qy --no-install-recommends install nftables libpam-pwquality debsums auditd aide"
)
"""What the role installs outside the set, where nothing can lock out: it stays when the set is undone."""

STATE = (
    "find /etc -xdev ! -path /etc/systemd/system/amc-harden* ! -name .pwd.lock ! -path /etc/mtab"
    " ! -name hostname ! -name hosts ! -name resolv.conf ! -name 'ssh_host_*'"
    " ! -path '/etc/systemd/network/*'"
    " \\( -type f -o -type l \\) -printf '%p %m %u %g %s %T@ %l\\n' | sort;"
    " find /etc -xdev -type d -printf '%p %m %u %g\\n' | sort; find /etc -xdev -type f -print0 | sort -z |"
    " xargs -0 sha256sum; nft -s list ruleset; "
    " sysctl -a 2>/dev/null | grep -E '^net.ipv[46].conf.(all|default)';"
    " systemctl list-units --type=service --state=active --plain --no-legend | cut -d' ' -f1 |"
    " grep -vE '^(user|session|systemd-tmpfiles|amc-|apt-|dpkg-|logrotate|e2scrub)';"
    " systemctl --failed --plain --no-legend;"
    " runuser -u postgres -- psql -XAtc \"SELECT has_database_privilege('public', 'mems', 'CONNECT')\";"
    " runuser -u postgres -- psql -XAtc \"SELECT name, setting FROM pg_settings WHERE name LIKE 'log%'\""
)
"""All that hardening changes, as text; compared before and after. The lab writes some files at each start."""


@dataclass(frozen=True)
class Target:
    """A lab server with M EMS, `folder` of this machine for what a playbook needs."""

    lab: Lab
    folder: Path

    def __post_init__(self) -> None:
        (self.folder / "hosts.yml").write_text(f"mems: {{hosts: {{{NAME}: {{amc_throwaway: true}}}}}}\n")

    def _ssh(self, *options: str, command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ssh", "-F", str(self.lab.ssh_config), *options, NAME, command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )

    def armed(self) -> bool:
        """Whether a set waits to be confirmed; read from the lab's files, since no login may work."""
        return (self.lab.home / "servers" / NAME / "root/var/lib/amc/harden/pending/armed.json").exists()

    def knock(self) -> bool:
        """Whether a new login works, with sudo."""
        alone = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "ConnectTimeout=4"]
        try:
            return self._ssh(*alone, "-o", "BatchMode=yes", command="sudo -n true", seconds=8).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def root(self, command: str) -> str:
        """What root's command prints, by a new login."""
        alone = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "BatchMode=yes"]
        return self._ssh(*alone, command=f"sudo -n sh -c {shlex.quote(command)}", seconds=120).stdout

    def play(self, run: str, extra: dict[str, Any], log: Path) -> subprocess.Popen[bytes]:
        """Start playbooks/harden.yml in a session of its own."""
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {self.lab.ssh_config}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp"),
            "ANSIBLE_NOCOLOR": "1",
        }
        variables = {"amc_run_id": run, "amc_evidence_dir": str(self.folder / run), **extra}
        with log.open("wb") as output:
            return subprocess.Popen(
                [*PLAY, "-i", str(self.folder / "hosts.yml"), "-e", json.dumps(variables)],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def start(lab: Lab, folder: Path) -> Target:
    """A server from the layer with M EMS, with the packages that hardening installs."""
    program = [sys.executable, str(REPOSITORY / "molecule/lab/mems_layer.py")]
    layer = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=900, check=True).stdout.strip()
    lab.up([NAME], layer=layer)
    target = Target(lab, folder)
    until = time.monotonic() + 90
    while '"ok": true' not in target.root("/usr/local/lib/mems/check"):
        if time.monotonic() > until:
            raise SystemExit("M EMS does not answer on the fresh server")
    subprocess.run(
        ["ssh", "-F", str(lab.ssh_config), NAME, f"sudo sh -c {shlex.quote(PREPARE)}"],
        timeout=300,
        check=True,
        capture_output=True,
    )
    return target


def _until(what: str, seconds: float, true: Any) -> None:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.5)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the playbook and everything it started, its workers' own sessions and connections too."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    doomed, layer = [process.pid], [process.pid]
    while layer:
        layer = [each for each, parent in parents.items() if parent in layer]
        doomed += layer
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def good(case: Case, done: dict[str, Any]) -> bool:
    """Whether the case was what it says, and was undone in time and exactly."""
    limit = DEADLINE_AFTER_RESTART_S if case.restarted else DEADLINE_S
    real = done["locked_out"] == bool(case.killed and case.path)
    return real and done["seconds"] <= limit and not done["differences"] and done["outcome"] == "reverted"


def try_case(target: Target, case: Case, seconds: int) -> dict[str, Any]:
    """{seconds, locked_out (a new login failed), outcome, why, differences}.

    TimeoutError when it never ends.
    """
    run = "lockout-" + "".join(letter if letter.isalnum() else "-" for letter in case.name.lower())
    before = target.root(STATE)
    extra = {"harden_confirm_seconds": seconds, "harden_extra_files": case.files}
    log = target.folder / f"{run}.log"
    process = target.play(run, extra, log)
    locked_out = False
    if case.killed:
        _until("the set to be armed", 150, target.armed)
        if case.path:
            _until("the set to be in force", 60, lambda: IN_FORCE in log.read_text())
        kill(process)
        locked_out = not target.knock()
    began = time.monotonic()
    if case.restarted:
        target.lab.stop(NAME)
        target.lab.start(NAME)
    elif not case.killed:
        process.wait(300)
    _until("a new login", DEADLINE_AFTER_RESTART_S + 60, target.knock)
    _until("the undo to end", 120, lambda: not target.armed())
    took = time.monotonic() - began
    record = json.loads(target.root(f"cat /var/lib/amc/runs/{run}/harden-state.json"))["attempts"][-1]
    if not case.restarted:
        took = _seconds(record)
    _until("M EMS", 60, lambda: '"ok": true' in target.root("/usr/local/lib/mems/check"))
    after = target.root(STATE)
    differences = sorted(set(before.splitlines()) ^ set(after.splitlines()))
    return {
        "seconds": took,
        "locked_out": locked_out,
        "outcome": record["outcome"],
        "why": record["why"],
        "differences": differences,
    }


def _seconds(record: dict[str, Any]) -> float:
    return (
        datetime.fromisoformat(record["ended"]) - datetime.fromisoformat(record["started"])
    ).total_seconds()


def main() -> int:
    """A line for each case, and the sums."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=int, default=90, help="after which the server undoes")
    words.add_argument("--only", nargs="*", help="cases whose name holds one of these")
    asked = words.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that it takes its lab down
    chosen = [case for case in CASES if not asked.only or any(word in case.name for word in asked.only)]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="amc-lockouts-") as home:
        lab = Lab(Path(home) / "lab", settings.read().cache)
        try:
            target = start(lab, Path(home))
            for case in chosen:
                done = try_case(target, case, asked.seconds)
                bad += not good(case, done)
                line = f"{case.name:36} undone after {done['seconds']:5.1f} s: {done['why'][:90]}"
                print(
                    f"{'ok ' if good(case, done) else 'BAD'} {line}",
                    *done["differences"][:10],
                    sep="\n      ",
                    flush=True,
                )
        finally:
            lab.down()
    print(f"{len(chosen)} cases, {bad} not undone in time or not exactly")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
