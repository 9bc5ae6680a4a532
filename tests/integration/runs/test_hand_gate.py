"""The gate, with the real ansible-playbook: work by hand is let in, or refused with its reason; no way by."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.database.engine import reading
from orchestrator.runs import hand, store

from .by_hand import LOCAL, NOTE, Engineer, engineer_in, report
from .conftest import build


@pytest.fixture(scope="module")
def engineer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engineer]:
    """One house for tests whose playbooks never wait."""
    house = build(tmp_path_factory.mktemp("by-hand"))
    house.go()
    found = engineer_in(house)
    yield found
    found.rest()
    house.close()


def test_work_by_hand_is_let_in_held_and_charged(engineer: Engineer) -> None:
    """As a run of the queue: coverage, hold, evidence, the servers' reports, settlement, statement."""
    said = engineer.playbook()
    run = engineer.run()
    assert f"{run.id}: covered by C4 of AMC-2026-0001, 0:45 held" in said
    assert f"{run.id}: done, charged 0:45" in said
    assert (run.state, run.charged, run.hand) == ("done", 2700, {"by": "root", "host": run.hand["host"]})
    assert engineer.house.postings(run.id) == ["hold", "settle"]
    assert engineer.house.marks()[-1] == f"{run.id} 1"
    assert report(run, engineer.house)["acme-erp1"]["patch"]["cves"] == ["CVE-2026-1", "CVE-2026-2"]
    assert engineer.house.show(run.id)["altered"] == []
    year = str(run.ordered_at.year)
    said = engineer.house.amc("statement", "--customer", "acme", "--year", year).stdout
    assert run.id in said


def test_what_failed_by_hand_is_failed(engineer: Engineer) -> None:
    """Ansible's own exit code stays; the run's words name the task."""
    (engineer.house.folder / "fail").touch()
    try:
        engineer.playbook(exit_code=2)
    finally:
        (engineer.house.folder / "fail").unlink()
    run = engineer.run()
    assert run.state == "failed"
    assert "acme-erp1: Fail where that is wanted" in run.words


@pytest.mark.parametrize(
    ("words", "customer", "exit_code", "reason"),
    [
        ((), "dry", 5, "the hours of AMC-dry do not suffice"),
        (
            ("PLAYBOOKS/migration.yml",),
            "acme",
            4,
            "migration is excluded from contract AMC-2026-0001 by clause E3",
        ),
        ((), "asleep", 6, "patch waits for a maintenance window"),
    ],
)
def test_a_refusal_has_the_exit_code_and_the_reason(
    engineer: Engineer, words: tuple[str, ...], customer: str, exit_code: int, reason: str
) -> None:
    """On stderr, and in the file whose name a caller gives; nothing ran."""
    file = engineer.house.folder / "reason"
    file.unlink(missing_ok=True)
    marks = engineer.house.marks()
    named = [word.replace("PLAYBOOKS", str(engineer.playbooks)) for word in words]
    said = engineer.playbook(*named, customer=customer, exit_code=exit_code, AMC_GATE_REASON_FILE=str(file))
    assert f"amc: {reason}" in said
    found = json.loads(file.read_text())
    assert found["exit_code"] == exit_code and reason in found["words"]
    assert engineer.house.marks() == marks


def test_an_emergency_goes_outside_the_windows_with_its_reason(engineer: Engineer) -> None:
    """As `amc run start --now --why`."""
    reasons = ["-e", "amc_now='M EMS is down'", "-e", "patch_without_proven_backup=later", "-e", "patch_x=1"]
    said = engineer.playbook(*reasons, customer="asleep")
    assert "outside the windows: M EMS is down" in said
    run = engineer.run()
    assert (run.urgent, run.options) == ("M EMS is down", {"without_proven_backup": "later"})


def test_two_do_not_work_on_one_server(engineer: Engineer) -> None:
    """The second is told who is at work there (exit 6)."""
    house = engineer.house
    first = hand.begin(
        house.settings,
        house.engine,
        customer="acme",
        activity="check",
        servers=("acme-erp1",),
        person=hand.Person("lena", "laptop"),
        key="first",
        urgent=None,
        options={},
        now=engineer.run().ordered_at.now(tz=engineer.run().ordered_at.tzinfo),
    )
    said = engineer.playbook(exit_code=6)
    assert f"{first.id} is at work on acme-erp1, by lena on laptop" in said
    ending = hand.Ending(True, "", {"acme-erp1": {"ok": 1}})
    end = hand.settle(house.settings, house.engine, first.id, ending, now=first.ordered_at)
    assert end.state == "done"


TRICKS = {
    "one server": ["-l", "dry-erp1"],
    "no tag": ["-t", "nothing-has-this-tag"],
    "all tags skipped": ["--skip-tags", "all,always,tagged,untagged"],
    "a later task": ["--start-at-task", "Report"],
    "a folder called provider": ["-i", "POSING"],
    "called thrown away": ["-e", '{"amc_throwaway": true}'],
    "a copy of hosts.yml": ["-i", "COPY"],
    "a copy that is called thrown away": ["-i", "COPY", "-e", '{"amc_throwaway": true}'],
    "limited to nobody": ["-i", "INVENTORIES/dry", "-i", "INVENTORIES/provider", "-l", "backup1"],
    "another customer beside": ["-i", "INVENTORIES/dry", "-i", "INVENTORIES/acme"],
    "two playbooks": ["PLAYBOOKS/check.yml", "PLAYBOOKS/patch.yml"],
    "imported": ["IMPORTING"],
}


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_passes(engineer: Engineer, tmp_path: Path, trick: str) -> None:
    """Each refused with a reason; nothing ran, nothing is held."""
    copy = tmp_path / "hosts.yaml"
    copy.write_text((engineer.inventories / "dry" / "hosts.yml").read_text())
    posing = tmp_path / "provider"
    posing.mkdir()
    (posing / "hosts.yaml").write_text(copy.read_text())
    importing = tmp_path / "mine.yml"
    own = NOTE.replace("HOUSE", str(engineer.house.folder)).replace("HOSTS", "mems")
    importing.write_text(f"{own}\n- import_playbook: {engineer.playbooks}/patch.yml\n")
    places = {
        "INVENTORIES": engineer.inventories,
        "PLAYBOOKS": engineer.playbooks,
        "COPY": copy,
        "POSING": posing,
    }
    words = []
    for word in TRICKS[trick]:
        for name, place in (places | {"IMPORTING": importing}).items():
            word = word.replace(name, str(place))  # noqa: PLW2901
        words.append(word)
    marks = engineer.house.marks()
    code, said = engineer.ends(*words, customer="dry")
    assert code in (2, 3, 5) and "amc: " in said, said
    assert engineer.house.marks() == marks


def test_from_another_folder_it_is_the_same_gate(engineer: Engineer, tmp_path: Path) -> None:
    """Without our ansible.cfg, too."""
    said = engineer.playbook(customer="dry", exit_code=5, folder=tmp_path)
    assert "do not suffice" in said


def test_a_runs_name_in_the_environment_opens_nothing(engineer: Engineer) -> None:
    """Only the process that executes the run does, and only for its own order."""
    with reading(engineer.house.engine) as connection:
        run = store.listing(connection)[0].id
    said = engineer.playbook(exit_code=3, AMC_RUN_ID=run, AMC_RUN_ATTEMPT="1")
    assert f"AMC_RUN_ID says {run}, and no such run executes this" in said


def test_the_orchestrators_own_run_passes(engineer: Engineer) -> None:
    """It brings its hold along."""
    found = engineer.house.json("run", "start", "patch", "--customer", "acme", "--wait")
    assert (found["state"], found["hand"]) == ("done", None)
    assert engineer.house.postings(found["id"]) == ["hold", "settle"]


def test_check_mode_is_free(engineer: Engineer, tmp_path: Path) -> None:
    """Nobody is asked, so it works without an orchestrator."""
    before = len(engineer.runs())
    check = str(engineer.playbooks / "check.yml")
    engineer.playbook("--check", check, customer="asleep")
    engineer.playbook("--check", check, AMC_HOME=str(tmp_path / "none"))
    assert len(engineer.runs()) == before


def test_without_an_orchestrator_nothing_passes_and_nothing_is_made(
    engineer: Engineer, tmp_path: Path
) -> None:
    """No database where none was."""
    said = engineer.playbook(exit_code=3, AMC_HOME=str(tmp_path / "none"))
    assert "no orchestrator is configured" in said and "AMC_URL" in said
    assert not (tmp_path / "none").exists()


def test_what_is_in_nobodys_account_passes_and_says_so(engineer: Engineer, tmp_path: Path) -> None:
    """The provider's own servers, alone; a server that is marked as thrown away, none without the mark."""
    before = len(engineer.runs())
    harden = str(engineer.playbooks / "harden_provider.yml")
    said = engineer.playbook("-i", str(engineer.inventories / "provider"), harden)
    assert "backup1: the provider's own, in nobody's account" in said
    hosts = tmp_path / "hosts.yml"
    check = str(engineer.playbooks / "check.yml")
    hosts.write_text(f"mems: {{hosts: {{test1: {LOCAL}}}}}\n")
    assert "test1: whose?" in engineer.playbook("-i", str(hosts), check, exit_code=3)
    hosts.write_text(f"mems: {{hosts: {{test1: {LOCAL}}}, vars: {{amc_throwaway: true}}}}\n")
    assert "thrown away after use" in engineer.playbook("-i", str(hosts), check)
    assert engineer.house.marks()[-1] == "test1 playbooks"
    assert len(engineer.runs()) == before
