"""Options on their way from the order to the playbook, on both databases; and what is refused."""

import json

import pytest

from orchestrator import settings
from orchestrator.database.engine import connect, reading
from orchestrator.errors import NotCovered, UsageError
from orchestrator.runs import beginning, store

from .conftest import NOW, House, Place

REASON = "the backup server is being replaced"


def test_they_are_kept_with_the_run(place: Place, house_settings: settings.Settings) -> None:
    """In the row and in the evidence, the moment in UTC; without any: none."""
    run = place("recover", "one", only="database", to="2026-03-01 14:32:10+04:00")
    assert run.options == {"only": "database", "to": "2026-03-01T10:32:10+00:00"}
    evidence = beginning.begin(house_settings, connect(house_settings.database_url), run.id, NOW)
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
