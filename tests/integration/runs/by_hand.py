"""An engineer at his own machine: a house with the gate, several customers, and the real ansible-playbook."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.contracts.model import DAYS
from orchestrator.database.engine import reading
from orchestrator.runs import store
from orchestrator.runs.processes import Process, carrying
from orchestrator.runs.store import Run

from .conftest import DEADLINE_SECONDS, REPOSITORY, House

PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
LOCAL = '{ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}'
NOTE = """
- name: Note
  hosts: HOSTS
  gather_facts: false
  tasks:
    - name: Note
      ansible.builtin.shell: echo {{ inventory_hostname }} {{ playbook_dir | basename }} >> HOUSE/marks
"""


@dataclass
class Engineer:
    """Works by hand in a house; `started` are his playbooks in the background."""

    house: House
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def inventories(self) -> Path:
        return self.house.folder / "repository" / "inventories"

    @property
    def playbooks(self) -> Path:
        return self.house.folder / "repository" / "playbooks"

    def customer(self, name: str, *changes: tuple[str, str]) -> None:
        """A folder beside acme's, its contract changed from acme's."""
        folder = self.inventories / name
        (folder / "group_vars" / "all").mkdir(parents=True)
        text = (self.inventories / "acme" / "group_vars" / "all" / "contract.yml").read_text()
        own = [("customer: acme", f"customer: {name}"), ("AMC-2026-0001", f"AMC-{name}")]
        for before, after in [*own, *changes]:
            assert before in text, before
            text = text.replace(before, after)
        (folder / "group_vars" / "all" / "contract.yml").write_text(text)
        hosts = f"all: {{children: {{mems: {{hosts: {{{name}-erp1: {LOCAL}}}}}}}}}\n"
        (folder / "hosts.yml").write_text(hosts)

    def playbook(
        self,
        *words: str,
        exit_code: int = 0,
        folder: Path | None = None,
        customer: str = "acme",
        **environment: str,
    ) -> str:
        """What the real ansible-playbook says on stderr.

        With the customer's inventory and patch.yml, unless words name others.
        """
        code, said = self.ends(*words, folder=folder, customer=customer, **environment)
        assert code == exit_code, f"{code}\n{said}"
        return said

    def ends(
        self, *words: str, folder: Path | None = None, customer: str = "acme", **environment: str
    ) -> tuple[int, str]:
        """Its exit code, and what it says on stderr, or else on stdout."""
        done = subprocess.run(
            self._command(customer, words),
            cwd=folder or self.playbooks.parent,
            env=self.house.environment | environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.returncode, done.stderr or done.stdout

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """The same in the background, in a session of its own as in a terminal."""
        with (self.house.folder / "background.log").open("a") as log:
            process = subprocess.Popen(
                self._command("acme", words),
                cwd=self.playbooks.parent,
                env=self.house.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def _command(self, customer: str, words: tuple[str, ...]) -> list[str]:
        named = [] if "-i" in words else ["-i", str(self.inventories / customer)]
        which = [] if any(word.endswith(".yml") for word in words) else [str(self.playbooks / "patch.yml")]
        return [PLAYBOOK, *named, *which, *words]

    def anew(self) -> None:
        """The next test of one house: nothing is marked, and the playbook waits again."""
        for name in ("marks", "go", "background.log"):
            (self.house.folder / name).unlink(missing_ok=True)

    def rest(self) -> None:
        """What a test left at work ends."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.started.clear()
        self.house.go()
        self.house.until("the keepers' end", lambda: not self.keepers())

    def runs(self) -> list[Run]:
        """All rows, the newest first."""
        with reading(self.house.engine) as connection:
            return store.listing(connection)

    def run(self) -> Run:
        """The newest."""
        return self.runs()[0]

    def ended(self, run: str) -> Run:
        """Wait for its end."""

        def found() -> Run | None:
            with reading(self.house.engine) as connection:
                row = store.get(connection, run)
            return None if row.is_open else row

        row: Run = self.house.until(f"the end of {run}", found)
        return row

    def keepers(self) -> list[Process]:
        """The processes `amc gate` of this house."""

        def is_keeper(process: Process) -> bool:
            try:
                words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                return False
            return b"gate" in words

        return [each for each in carrying("AMC_HOME", str(self.house.home)) if is_keeper(each)]


def engineer_in(house: House) -> Engineer:
    """The gate, the provider's folder, and customers beside acme: one without hours, one that sleeps now."""
    found = Engineer(house)
    shutil.copytree(REPOSITORY / "playbooks" / "callback_plugins", found.playbooks / "callback_plugins")
    (found.inventories / "provider").mkdir()
    shared = f"backup_server: {{hosts: {{backup1: {LOCAL}}}}}\n"
    (found.inventories / "provider" / "hosts.yml").write_text(shared)
    for name, hosts in (("migration", "mems"), ("harden_provider", "backup_server"), ("check", "mems")):
        text = NOTE.replace("HOUSE", str(house.folder)).replace("HOSTS", hosts)
        (found.playbooks / f"{name}.yml").write_text(text)
    found.customer("dry", ("per_calendar_year: 60", "per_calendar_year: 1"), ("minutes: 45", "minutes: 75"))
    day = DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    found.customer("asleep", (f"days: [{', '.join(DAYS)}]", f"days: [{day}]"))
    return found


def report(run: Run, house: House) -> Any:
    """The server's report in the run's evidence."""
    return store.evidence(house.settings, run.id).server_reports()
