"""Options on their way from the order to the playbook, on both databases; and what is refused."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from orchestrator import settings
from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import connect, reading
from orchestrator.errors import NotCovered, UsageError
from orchestrator.runs import outcome, placing, store
from orchestrator.runs.order import Order
from orchestrator.runs.store import Run

from .conftest import House

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
Place = Callable[..., Run]
REASON = "the backup server is being replaced"


def not_queued(connection: Connection, run: str, customer: str) -> None:
    """DBOS's tables are not needed here."""


@pytest.fixture
def house_settings(database_url: str, tmp_path: Path) -> settings.Settings:
    """A repository that has every playbook and a provider, the demo contracts, and this database."""
    demo = settings.read({}).inventories
    (tmp_path / "playbooks").mkdir()
    for activity in ("patch", "recover", "drill"):
        (tmp_path / "playbooks" / f"{activity}.yml").write_text("- hosts: mems\n")
    for customer in ("acme", "globex"):
        (tmp_path / "inventories" / customer).mkdir(parents=True)
        (tmp_path / "inventories" / customer / "group_vars").symlink_to(demo / customer / "group_vars")
    (tmp_path / "inventories" / "provider").mkdir()
    (tmp_path / "inventories" / "provider" / "hosts.yml").write_text("backup_server: {hosts: {backup1: }}")
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


def test_they_are_kept_with_the_run(place: Place, house_settings: settings.Settings) -> None:
    """In the row and in the evidence, the moment in UTC; without any: none."""
    run = place("recover", "one", only="database", to="2026-03-01 14:32:10+04:00")
    assert run.options == {"only": "database", "to": "2026-03-01T10:32:10+00:00"}
    evidence = outcome.begin(house_settings, connect(house_settings.database_url), run.id, NOW)
    assert json.loads(evidence.order.read_text())["options"] == run.options
    assert place("patch", "two").options == {}


def test_a_key_stands_for_its_options_too(place: Place) -> None:
    """The same moment in other words is the same order; another moment is another order."""
    first = place("recover", "key", to="2026-03-01 14:32:10+04:00")
    assert place("recover", "key", to="2026-03-01T10:32:10Z").id == first.id
    with pytest.raises(UsageError, match="stands for another order"):
        place("recover", "key", to="2026-03-01T10:32:11Z")
    with pytest.raises(UsageError, match="stands for another order"):
        place("recover", "key")


def test_only_what_a_recovery_of_these_servers_set_aside_is_put_back(place: Place) -> None:
    """Not another customer's, not a patch's, not another server's, not what never was."""
    recovery, patch = place("recover", "one"), place("patch", "two")
    others = place("recover", "three", customer="globex")
    assert place("recover", "four", put_back=recovery.id).options == {"put_back": recovery.id}
    for key, run, words in (
        ("five", patch.id, "is no recovery of acme"),
        ("six", others.id, "is no recovery of acme"),
        ("seven", "acme-recover-20200101-000000-aaaa", "there is no run"),
    ):
        with pytest.raises(UsageError, match=words):
            place("recover", key, put_back=run)
    with pytest.raises(UsageError, match="set nothing aside on acme-erp2"):
        place("recover", "eight", server="erp2", put_back=recovery.id)


def test_what_is_wrong_leaves_no_run(place: Place, house_settings: settings.Settings) -> None:
    """A usage error holds nothing; what is not covered is refused for that, whatever its options."""
    with pytest.raises(UsageError, match="drill takes no --to"):
        place("drill", "one", to="2026-03-01T10:32:10Z")
    with pytest.raises(UsageError, match="there is no activity `ptach`"):
        place("ptach", "two", without_proven_backup=REASON)
    with reading(connect(house_settings.database_url)) as connection:
        assert store.listing(connection) == []
    with pytest.raises(NotCovered, match="E1"):
        place("customisation", "three", to="2026-03-01T10:32:10Z")


def test_a_playbook_gets_them_and_readers_see_them(busy_house: House) -> None:
    """By the command line: the variable, `amc run show`, the statement; without the option no variable."""
    playbook = busy_house.folder / "repository" / "playbooks" / "patch.yml"
    before = playbook.read_text()
    given = "{{ patch_without_proven_backup | default('nothing') }}"
    playbook.write_text(before.replace("{{ amc_run_id }}", f"{given} for {{{{ amc_run_id }}}}"))
    start = ("run", "start", "patch", "--customer", "acme", "--wait")
    try:
        with_it = busy_house.json(*start, "--without-proven-backup", REASON)
        without = busy_house.json(*start)
    finally:
        playbook.write_text(before)
    marks = busy_house.marks()
    assert f"{REASON} for {with_it['id']} 1" in marks
    assert f"nothing for {without['id']} 1" in marks
    assert (with_it["options"], without["options"]) == ({"without_proven_backup": REASON}, {})
    shown = busy_house.amc("run", "show", with_it["id"]).stdout
    assert f"option    --without-proven-backup '{REASON}'" in shown.splitlines()
    said = busy_house.refusal("run", "start", "patch", "--customer", "acme", "--only", "files", exit_code=2)
    assert "patch takes no --only\n  mend: patch takes --without-proven-backup" in said
