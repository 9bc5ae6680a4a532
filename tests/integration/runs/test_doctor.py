"""`amc doctor`: a sound installation, and each fault found for real, with what to do."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.contracts.read import PLACE
from orchestrator.database.engine import connect
from orchestrator.doctor.examination import examine
from orchestrator.doctor.finding import Finding, Grade
from orchestrator.notify import watch
from orchestrator.runs import store
from orchestrator.runs.states import Event
from orchestrator.settings import Settings

from .conftest import NOW, House, Place
from .receiver import Receiver


def faults(settings: Settings, now: datetime) -> list[Finding]:
    return [each for each in examine(settings, lambda: now) if each.grade is Grade.FAULT]


def contract(house: House) -> Settings:
    place = house.settings.inventories / "acme" / PLACE
    place.write_text(place.read_text().replace("version: 1", "version: one"))
    return house.settings


def secret(house: House) -> Settings:
    (house.settings.secrets_dir / "acme").mkdir(mode=0o700)
    (house.settings.secrets_dir / "acme" / "password").write_text("swordfish")
    (house.settings.secrets_dir / "acme" / "password").chmod(0o640)
    return house.settings


def home(house: House) -> Settings:
    house.home.chmod(0o755)
    return house.settings


def ssh(house: House) -> Settings:
    config = house.folder / "ssh_config"
    config.write_text("Host *\n  Nonsense yes\n")
    return replace(house.settings, ssh_config=config)


def channels(house: House) -> Settings:
    file = house.folder / "notify.yml"
    file.touch(mode=0o600)
    file.write_text("channels:\n  - name: ops\n    url: nonsense://swordfish\n")
    return replace(house.settings, notify_file=file)


def engine(house: House) -> Settings:
    program = house.folder / "pulumi"
    program.write_text("#!/bin/sh\necho v1.0.0\n")
    program.chmod(0o755)
    return replace(house.settings, pulumi=program)


def test_every_fault_is_found_with_what_to_do(house: House) -> None:
    """All at once: none hides another, and no secret is in any word."""
    contract(house)
    secret(house)
    home(house)
    settings = house.settings
    for name, broken in (("ssh_config", ssh), ("notify_file", channels), ("pulumi", engine)):
        settings = replace(settings, **{name: getattr(broken(house), name)})
    found = {each.what: each for each in faults(settings, NOW)}
    wanted = {
        "home": ("is open to others", "chmod 700"),
        "secrets": ("password is open to others", "chmod go="),
        "engine": ("says 1.0.0, not", "scripts/pulumi"),
        "ssh": ("terminating, 1 bad configuration options", "AMC_SSH_CONFIG"),
        "inventories": ("contract.yml:5: version must be a whole number", "version: 1"),
        "notifications": ("notify.yml:2: ops: Apprise knows no such address", "mailtos://"),
    }
    assert list(found) == list(wanted)
    for what, (words, mend) in wanted.items():
        assert words in found[what].words
        assert mend in found[what].mend
        assert "swordfish" not in found[what].words


def test_without_a_database(house: House) -> None:
    missing = replace(house.settings, database_url=f"sqlite:///{house.folder}/none.db")
    (found,) = faults(missing, NOW)
    assert (found.what, found.mend) == ("database", "run amc init")
    assert "there is no database yet" in found.words


def test_as_a_command(house: House) -> None:
    """Exit 0 for a sound one; 3 with the words, and the same as a document."""
    assert "FAULT" not in house.amc("doctor").stdout
    home(house)
    assert f"FAULT  home: {house.home} is open to others" in house.amc("doctor", exit_code=3).stdout
    found = house.json("doctor", exit_code=3)
    assert [each["what"] for each in found if each["grade"] == "fault"] == ["home"]


def test_without_a_worker(house_settings: Settings, place: Place) -> None:
    """On PostgreSQL nothing is done then; on SQLite the next order starts one."""
    house_settings.home.mkdir(mode=0o700)
    connected = connect(house_settings.database_url)
    watch.note_beat(connected, "host:1", NOW)
    findings = {each.what: each for each in examine(house_settings, lambda: datetime.now(UTC))}
    grade = Grade.NOTE if house_settings.database_url.startswith("sqlite") else Grade.FAULT
    assert findings["database"].grade is Grade.FAULT  # the queue's tables are not made here
    assert (findings["worker"].grade, "last seen 2026-11-24" in findings["worker"].words) == (grade, True)


def test_a_channel_that_takes_nothing(house_settings: Settings, place: Place, tmp_path: Path) -> None:
    """After some tries; its words without the address's secret."""
    house_settings.home.mkdir(mode=0o700)
    receiver = Receiver(status=401)
    file = tmp_path / "notify.yml"
    file.touch(mode=0o600)
    file.write_text(f"channels: [{{name: ops, url: 'json://user:swordfish@{receiver.address}/told'}}]\n")
    settings = replace(house_settings, notify_file=file)
    connected = connect(settings.database_url)
    run = replace(place("patch", "one"), id="acme-patch-9", key="nine")
    with connected.begin() as connection:
        store.add(connection, run)
        store.move(connection, run, Event.FAIL, "it broke", ended_at=NOW)
    for hours in range(5):
        watch.tell(settings, connected, NOW.replace(hour=12 + hours))
    receiver.close()
    found = [each for each in faults(settings, NOW.replace(hour=17)) if each.what == "notifications"]
    assert len(receiver.told) == 5
    (fault,) = found
    assert fault.words.startswith("ops: 1 due: ")
    assert "swordfish" not in fault.words
