"""What recovery tests do on a pair: numbered commits, disasters, recoveries, and what came back."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backed_up import BACKUP, MEMS, STATE, Pair

DATA = "/var/lib/postgresql/15/main"
LOG = "/var/tmp/commits.log"
PROGRAM = "/var/tmp/committing.py"


@dataclass(frozen=True)
class Commit:
    """One that the client saw acknowledged; PostgreSQL's clock before and after it, in seconds since 1970."""

    number: int
    before: float
    after: float


class Recovered(Pair):
    """A pair whose M EMS server meets disasters."""

    def commit_for(self, seconds: float, pause: float = 0.002) -> None:
        """Begin numbered commits, and let them go on for so long; they end when the database does."""
        text = (Path(__file__).parent / "committing.py").read_text()
        script = (
            f"cat >{PROGRAM} <<'END'\n{text}\nEND\nsystemctl reset-failed committing || true\nrm -f {LOG}\n"
        )
        unit = "systemd-run -q --unit=committing --collect -p User=postgres"
        script += f"{unit} /usr/bin/python3 {PROGRAM} {LOG} {pause}\n"
        self.root(MEMS, f"{script}sleep {seconds}")

    def lose_the_database(self) -> None:
        """kill -9 of PostgreSQL, and its files are gone."""
        self.root(MEMS, f"kill -9 $(head -1 {DATA}/postmaster.pid); rm -rf {DATA}")

    def acknowledged(self) -> list[Commit]:
        """What the client saw; it has ended."""
        lines = self.shell(MEMS, f"cat {LOG}").splitlines()
        words = [line.split() for line in lines if line.count(" ") == 2]
        return [Commit(int(number), float(before), float(after)) for number, before, after in words]

    def restored(self) -> list[int]:
        """The numbers that are in the database, in order."""
        query = "SELECT n FROM amc_commits ORDER BY n"
        return [
            int(line)
            for line in self.shell(MEMS, f"sudo -u postgres psql -d mems -XAtc '{query}'").splitlines()
        ]

    def command(self, run: str, **variables: str) -> list[str]:
        """The words of a recovery."""
        words = ["playbooks/recover.yml", f"-eamc_run_id={run}", f"-eamc_evidence_dir={self.folder}/{run}"]
        return [*words, "-e" + json.dumps(variables)]

    def recover(self, run: str, **variables: str) -> dict[str, Any]:
        """A recovery that must succeed; its report."""
        done = self.playbook(*self.command(run, **variables))
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr
        return self.report(run)

    def report(self, run: str) -> dict[str, Any]:
        """As it was fetched."""
        found: dict[str, Any] = json.loads((self.folder / run / MEMS / "recover.json").read_text())
        return found

    def kill_half_way(
        self, run: str, what: str, where: str = MEMS, seconds: int = 240, **variables: str
    ) -> None:
        """Begin a recovery; kill -9 all of the controller once `what`, root's command, succeeds there."""
        environment = {
            **os.environ,
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {self.lab.ssh_config}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "ssh"),
            "AMC_SECRETS_DIR": str(self.secrets),
        }
        playbook = self.ansible_playbook()
        begun = subprocess.Popen(
            [*playbook, *self.command(run, **variables)],
            cwd=Path(__file__).parents[3],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # The server itself looks: it may last for less than a login takes.
        wait = f"sudo timeout {seconds} sh -c 'until {what}; do sleep 0.02; done'"
        try:
            done = self.run(where, wait, seconds + 30)
            assert begun.poll() is None, "the recovery ended before it could be killed"
            assert done.returncode == 0, f"waited {seconds} s for {what}"
        finally:
            end(begun.pid)
            begun.wait()

    def freeze_the_copy(self, run: str) -> str:
        """Have the backup server stop (SIGSTOP) the run's copying unit as soon as it copies; a command that
        succeeds there once it has."""
        copies = "until pgrep -u barman -f '^/usr/bin/rsync.*amc-recover' >/dev/null; do sleep 0.01; done"
        stop = f"systemctl kill -s STOP amc-{run}-recover-send; touch /run/amc-frozen-{run}"
        unit = "systemd-run -q --collect --unit=freezer timeout 240 sh -c"
        self.root(BACKUP, f'{unit} "{copies}; {stop}"')
        return f"test -e /run/amc-frozen-{run}"

    def restart(self) -> None:
        """The M EMS server restarts; it lets us in again."""
        self.lab.stop(MEMS)
        self.lab.start(MEMS)

    def figures(self) -> dict[str, Any]:
        """M EMS's own."""
        said: dict[str, Any] = json.loads(self.root(MEMS, "/usr/local/lib/mems/figures"))
        return said

    def ansible_playbook(self) -> list[str]:
        """The command without the playbook."""
        return [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "molecule/lab/inventory"]

    def wait_until_protected(self, seconds: float = 180) -> None:
        """The base backup after a recovery is done."""
        look = f"sudo grep -q '\"protected\"' {STATE}/protection.json"
        self.wait(BACKUP, look, "the base backup after the recovery", seconds)


def end(pid: int) -> None:
    """kill -9 of a process and all that came from it, also what made a session of its own."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_bytes().rpartition(b")")[2].split()[1])
        except OSError:
            continue
    found, layer = [pid], [pid]
    while layer:
        layer = [each for each, parent in parents.items() if parent in layer]
        found += layer
    for each in found:
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue


def moment(seconds: float) -> str:
    """As --to takes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
