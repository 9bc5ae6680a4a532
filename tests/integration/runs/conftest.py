"""A house of its own for a test: a repository with one small real playbook, a home, `amc` as a process."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from orchestrator import settings
from orchestrator.contracts.model import DAYS
from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import connect, reading
from orchestrator.ledger import reading as ledger
from orchestrator.runs import placing, store, view, worker
from orchestrator.runs.order import Order
from orchestrator.runs.processes import Process, carrying, end
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

from .scheduled import CONTRACT, Scheduled
from .scheduled import HOSTS as ACME_HOSTS

REPOSITORY = Path(__file__).parents[3]
DEADLINE_SECONDS = 60
SECRET = "swordfish-in-the-environment"

HOSTS = """
all:
  children:
    mems:
      hosts:
        acme-erp1:
          ansible_connection: local
          ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""

# Marks that it began, waits until it may go on, reports. What a file `fail` holds decides how it ends.
PATCH = """
- name: Patch
  hosts: mems
  gather_facts: false
  tasks:
    - name: Mark, and wait for leave
      ansible.builtin.shell: |
        echo {{ amc_run_id }} {{ amc_run_attempt }} >> HOUSE/marks
        for i in $(seq 600); do test -e HOUSE/go && exit 0; sleep 0.1; done; exit 1
    - name: Keep a secret
      ansible.builtin.debug:
        msg: swordfish-in-a-task
      no_log: true
    - name: Report
      ansible.builtin.shell: |
        umask 077; mkdir -p {{ amc_evidence_dir }}/{{ inventory_hostname }}
        cp HOUSE/report {{ amc_evidence_dir }}/{{ inventory_hostname }}/patch.json
    - name: Fail where that is wanted
      ansible.builtin.command: test ! -e HOUSE/fail
"""

KILLED_WORKER = """
import os, sys
from orchestrator.cli import main
from orchestrator.runs import attempts, outcome, store
def die(*words, **more):
    os.kill(os.getpid(), 9)
{place}
sys.argv = ["amc", "worker", "--until-idle"]
main.main()
"""


NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Place = Callable[..., Run]


def always_open(contract: str) -> str:
    """A demo contract whose windows never close, so that tests may order at any hour."""
    before, windows, after = contract.partition("  maintenance_windows:\n")
    rest = after[after.index("\n  activities:") :]
    return f'{before}{windows}    - {{days: [{", ".join(DAYS)}], start: "00:00", end: "24:00"}}{rest}'


@dataclass
class House:
    """`amc` in this house, and what it left."""

    folder: Path
    environment: dict[str, str]
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @cached_property
    def settings(self) -> Settings:
        return settings.read(self.environment)

    @cached_property
    def engine(self) -> Engine:
        return connect(self.settings.database_url)

    def amc(self, *words: str, exit_code: int = 0) -> "subprocess.CompletedProcess[str]":
        """As a user calls it; the exit code must be the expected one."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli.main", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        said = f"amc {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == exit_code, said
        return done

    def json(self, *words: str, exit_code: int = 0) -> Any:
        """The one document on its standard output."""
        return json.loads(self.amc(*words, "--json", exit_code=exit_code).stdout)

    def refusal(self, *words: str, exit_code: int) -> str:
        """What it says on standard error, which is no traceback."""
        said = self.amc(*words, exit_code=exit_code).stderr
        assert said.startswith("amc: "), said
        return said

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """`amc` in the background, ended with the test at the latest."""
        return self.python("-m", "orchestrator.cli.main", *words)

    def python(self, *words: str) -> "subprocess.Popen[str]":
        with (self.folder / "background.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *words], env=self.environment, stdout=log, stderr=log, text=True
            )
        self.started.append(process)
        return process

    def order(self, key: str = "nightly") -> str:
        """Order a patch and leave it to whatever worker there is; the run's id."""
        contract = read_customer(self.settings.inventories, "acme")
        order = Order("acme", "patch", ("acme-erp1",), "test", key)
        run, _ = placing.place(
            self.engine, self.settings, contract, order, now=datetime.now(UTC), enqueue=worker.enqueue
        )
        return run.id

    def show(self, run: str) -> Any:
        """As `amc run show --json`, without a process of its own."""
        with reading(self.engine) as connection:
            return view.details(self.settings, store.get(connection, run))

    def standing(self, run: str) -> str:
        """The state that is shown."""
        return str(self.show(run)["state"])

    def until(self, what: str, met: Callable[[], Any]) -> Any:
        """Wait until it is met."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (found := met()):
            assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for {what}\n{self.logs()}"
            time.sleep(0.1)
        return found

    def until_marked(self, times: int = 1) -> list[str]:
        """Wait until the playbook has begun so many times."""
        self.until(f"{times} marks", lambda: len(self.marks()) >= times)
        return self.marks()

    def until_ended(self, run: str) -> Any:
        """Wait for the run's end and show it."""
        ends = ("done", "rolled-back", "failed", "unknown")
        self.until(f"the end of {run}", lambda: self.standing(run) in ends)
        return self.show(run)

    def marks(self) -> list[str]:
        path = self.folder / "marks"
        return path.read_text().splitlines() if path.exists() else []

    def go(self) -> None:
        (self.folder / "go").touch()

    def worker(self) -> Process:
        """The worker that holds the lock."""

        def held() -> int:
            path = Path(f"{self.home / 'amc.db'}.worker")
            text = path.read_text().strip() if path.exists() else ""
            return int(text or 0)

        return Process.of(self.until("a worker with the lock", held))

    def executing(self, run: str, attempt: int = 1) -> Process:
        """The process of a run's attempt."""
        path = self.home / "runs" / run / f"attempt-{attempt}" / "process.json"
        self.until(f"the process of {run}", path.exists)
        return Process.from_json(json.loads(path.read_text()))

    def kill(self, process: Process) -> None:
        """SIGKILL, and wait until it is gone."""
        os.kill(process.pid, signal.SIGKILL)
        self.until(f"the end of {process.pid}", lambda: not process.lives())

    def finish(self) -> None:
        """A worker does what there is to do."""
        self.amc("worker", "--until-idle")

    def account(self) -> dict[str, int | None]:
        """available, held and used seconds."""
        contract = read_customer(self.settings.inventories, "acme")
        with reading(self.engine) as connection:
            found = ledger.balance(connection, contract, datetime.now(UTC))
        return {"available": found.available, "held": found.held, "used": found.used}

    def postings(self, run: str) -> list[str]:
        """The kinds of the run's postings in the ledger."""
        contract = read_customer(self.settings.inventories, "acme")
        with reading(self.engine) as connection:
            return [str(line.posting.kind) for line in ledger.log(connection, contract) if run in line.key]

    def logs(self) -> str:
        paths = [self.home / "worker.log", self.folder / "background.log"]
        paths += sorted(self.home.glob("runs/*/attempt-*/*.log"))
        return "\n".join(f"--- {path}\n{path.read_text()}" for path in paths if path.exists())

    def close(self) -> None:
        """End what this house started."""
        self.engine.dispose()
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
        assert end(carrying("AMC_HOME", str(self.home)), patience=0.5) == []

    def killed_at(self, place: str) -> None:
        """Run a real worker until it is killed at exactly this place: code that calls `die`."""
        worker = self.python("-c", KILLED_WORKER.format(place=place))
        assert worker.wait(timeout=DEADLINE_SECONDS) == -signal.SIGKILL, self.logs()


def _by_order_alone(contract: str) -> str:
    """A worker that stays patches nothing by itself, whatever day it is."""
    found = re.sub(r"rule: FREQ=MONTHLY;BYDAY=2SA\n +at: .*\n", "rule: never\n", contract)
    assert found != contract
    return found


def build(folder: Path, **more: str) -> House:
    """In an empty folder; `more` settings, as AMC_DATABASE_URL for another database than a file."""
    repository = folder / "repository"
    shutil.copytree(REPOSITORY / "playbooks" / "files", repository / "playbooks" / "files")
    (repository / "playbooks" / "patch.yml").write_text(PATCH.replace("HOUSE", str(folder)))
    contract = Path("inventories", "acme", "group_vars", "all", "contract.yml")
    (repository / contract).parent.mkdir(parents=True)
    (repository / contract).write_text(_by_order_alone(always_open((REPOSITORY / contract).read_text())))
    (repository / "inventories" / "acme" / "hosts.yml").write_text(HOSTS)
    (folder / "report").write_text('{"packages": [{"name": "bash"}], "cves": ["CVE-2026-1", "CVE-2026-2"]}')
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AMC_", "ANSIBLE_"))}
    own = {"AMC_HOME": str(folder / "home"), "AMC_REPOSITORY": str(repository), "A_TOKEN": SECRET}
    house = House(folder, kept | own | more)
    house.amc("init")
    return house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house for one test."""
    built = build(tmp_path)
    yield built
    built.close()


@pytest.fixture(scope="module")
def busy_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house whose worker stays, and whose playbook never waits: for tests that only order."""
    built = build(tmp_path_factory.mktemp("busy"))
    built.go()
    built.start("worker")
    built.worker()
    yield built
    built.close()


def not_queued(connection: Connection, run: str, customer: str) -> None:
    """DBOS's tables are not needed here."""


@pytest.fixture
def house_settings(database_url: str, tmp_path: Path) -> settings.Settings:
    """A repository with playbooks and a provider, the demo contracts with open windows, this database."""
    demo = settings.read({}).inventories
    (tmp_path / "playbooks").mkdir()
    for activity in ("patch", "recover", "drill"):
        (tmp_path / "playbooks" / f"{activity}.yml").write_text("- hosts: mems\n")
    for customer in ("acme", "globex"):
        contract = Path(customer, "group_vars", "all", "contract.yml")
        (tmp_path / "inventories" / contract).parent.mkdir(parents=True)
        (tmp_path / "inventories" / contract).write_text(always_open((demo / contract).read_text()))
    (tmp_path / "inventories" / "provider").mkdir()
    shared = "{backup_server: {hosts: {backup1: }}, monitoring_server: {hosts: {backup1: }}}"
    (tmp_path / "inventories" / "provider" / "hosts.yml").write_text(shared)
    folders = {"AMC_HOME": str(tmp_path / "home"), "AMC_REPOSITORY": str(tmp_path)}
    return settings.read(folders | {"AMC_DATABASE_URL": database_url})


@pytest.fixture
def place(house_settings: settings.Settings) -> Place:
    """Order at NOW for a customer's server; the run."""
    engine = connect(house_settings.database_url)

    def order(activity: str, key: str, customer: str = "acme", server: str = "erp1", **options: str) -> Run:
        contract = read_customer(house_settings.inventories, customer)
        asked = Order(customer, activity, (f"{customer}-{server}",), "engineer", key, options=options)
        run, _ = placing.place(engine, house_settings, contract, asked, now=NOW, enqueue=not_queued)
        with reading(engine) as connection:
            return store.get(connection, run.id)

    return order


@pytest.fixture
def scheduled(database_url: str, tmp_path: Path) -> Scheduled:
    """Acme with its windows, a server, the playbooks of its schedule, and no runs."""
    contract = tmp_path / "inventories/acme/group_vars/all/contract.yml"
    contract.parent.mkdir(parents=True)
    contract.write_text(CONTRACT)
    (tmp_path / "inventories/acme/hosts.yml").write_text(ACME_HOSTS)
    (tmp_path / "inventories/provider").mkdir()
    provider = "{backup_server: {hosts: {backup1: }}}"
    (tmp_path / "inventories/provider/hosts.yml").write_text(provider)
    (tmp_path / "playbooks").mkdir()
    for activity in ("deploy", "check", "backup", "drill", "recover", "patch", "resize"):
        (tmp_path / f"playbooks/{activity}.yml").write_text("- hosts: mems\n")
    folders = {"AMC_HOME": str(tmp_path / "home"), "AMC_REPOSITORY": str(tmp_path)}
    return Scheduled(settings.read(folders | {"AMC_DATABASE_URL": database_url}))
