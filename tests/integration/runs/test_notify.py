"""Notifications, with a real receiver: each is told once, a channel that fails is tried again."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from orchestrator.contracts.activities import ActivityTerms, Charge, WhenUsedUp
from orchestrator.contracts.read import PLACE, read_customer
from orchestrator.database.engine import connect, reading
from orchestrator.ledger import store as ledger
from orchestrator.notify import courier, outbox, watch
from orchestrator.notify.tables import beats, deliveries
from orchestrator.runs import store
from orchestrator.runs.states import Event, State
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

from .conftest import NOW, Place
from .receiver import Receiver

MINUTE = timedelta(minutes=1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def settings(house_settings: Settings, receiver: Receiver, tmp_path: Path) -> Settings:
    """One channel, which hears everything; nobody knows the dead-man's switch yet."""
    file = tmp_path / "notify.yml"
    file.write_text(f"channels: [{{name: ops, url: 'json://user:swordfish@{receiver.address}/told'}}]\n")
    for customer in ("acme", "globex"):
        hosts = house_settings.inventories / customer / "hosts.yml"
        hosts.write_text(f"all: {{children: {{mems: {{hosts: {{{customer}-erp1: }}}}}}}}\n")
    return replace(house_settings, notify_file=file)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    made = connect(settings.database_url)
    yield made
    made.dispose()


@pytest.fixture
def told(settings: Settings, engine: Engine, receiver: Receiver) -> tuple[Settings, Engine, Receiver]:
    return settings, engine, receiver


def ended(engine: Engine, run: Run, event: Event, words: str, at: datetime = NOW) -> None:
    """As the worker leaves a run that ends."""
    with engine.begin() as connection:
        store.move(connection, run, Event.START, "", started_at=at)
        ledger.void(connection, store.ledger_key(run.id), "of a test", at)
        store.move(connection, store.get(connection, run.id), event, words, ended_at=at)


def states(engine: Engine) -> dict[str, tuple[str, int]]:
    """Each delivery's state and attempts, by its message's key."""
    with reading(engine) as connection:
        query = select(deliveries.c.message, deliveries.c.state, deliveries.c.attempts)
        return {key: (state, attempts) for key, state, attempts in connection.execute(query)}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Event.FAIL, "failed, a person"),
        (Event.ROLL_BACK, "as it was before"),
        (Event.LOSE, "can't be proven"),
    ],
)
def test_a_bad_end_is_told_once(
    told: tuple[Settings, Engine, Receiver], place: Place, event: Event, said: str
) -> None:
    """However often it is looked for, and by whichever worker. What ended well is not told."""
    settings, engine, receiver = told
    run = place("patch", "one")
    ended(engine, place("patch", "other", customer="globex"), Event.SUCCEED, "")
    assert watch.tell(settings, engine, NOW) == []
    assert receiver.told == []
    ended(engine, run, event, "the disk is full")
    for minutes in range(3):
        assert watch.tell(settings, engine, NOW + minutes * MINUTE) == []
    (message,) = receiver.told
    assert said in message["title"]
    assert "acme-erp1" in message["title"]
    assert "the disk is full" in message["message"]
    assert f"amc run show {run.id}" in message["message"]


def test_two_workers_tell_it_once(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """The second comes while the first is sending."""
    ended(engine, place("patch", "one"), Event.FAIL, "it broke")
    second = connect(settings.database_url)
    receiver.before = lambda: watch.tell(settings, second, NOW) and None
    watch.tell(settings, engine, NOW)
    second.dispose()
    assert len(receiver.told) == 1


def test_one_of_two_workers_claims_a_delivery(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """Both have read that it is due."""
    receiver.status = 500
    ended(engine, place("patch", "one"), Event.FAIL, "it broke")
    watch.tell(settings, engine, NOW)
    later = NOW + 5 * MINUTE
    with reading(engine) as connection:
        (first,), (second,) = outbox.due(connection, later), outbox.due(connection, later)
    assert [outbox.claim(engine, each, later) for each in (first, second)] == [True, False]


def test_a_channel_that_fails_is_tried_again_and_later_each_time(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """What is wrong is said without the address's secret; at last it is given up, and the doctor says so."""
    run = place("patch", "one")
    ended(engine, run, Event.FAIL, "it broke")
    receiver.status = 500
    (said,) = watch.tell(settings, engine, NOW)
    assert said.startswith("ops: ")
    assert "swordfish" not in said
    assert watch.tell(settings, engine, NOW + MINUTE / 2) == []
    assert len(receiver.told) == 1
    assert len(watch.tell(settings, engine, NOW + MINUTE)) == 1
    assert watch.tell(settings, engine, NOW + 2 * MINUTE) == []
    assert states(engine) == {f"failed:{run.id}": ("due", 2)}
    receiver.status = 200
    watch.tell(settings, engine, NOW + 3 * MINUTE)
    watch.tell(settings, engine, NOW + 9 * MINUTE)
    assert len(receiver.told) == 3
    assert states(engine) == {f"failed:{run.id}": ("sent", 3)}


def test_what_could_not_be_told_for_three_days_is_given_up(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    run = place("patch", "one")
    ended(engine, run, Event.FAIL, "it broke")
    receiver.status = 500
    watch.tell(settings, engine, NOW)
    watch.tell(settings, engine, NOW + timedelta(days=2, hours=23, minutes=59))
    assert states(engine) == {f"failed:{run.id}": ("given-up", 2)}


def test_a_dead_channel_keeps_no_other_waiting(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """It is tried once a round, whatever waits for it."""
    assert settings.notify_file
    own = settings.notify_file.read_text()
    dead = Receiver(status=503)
    settings.notify_file.write_text(
        own.replace("[", f"[{{name: dead, url: 'json://{dead.address}/told'}}, ", 1)
    )
    for key in ("one", "two", "three"):
        ended(engine, place("patch", key), Event.FAIL, "it broke")
    watch.tell(settings, engine, NOW)
    dead.close()
    assert (len(dead.told), len(receiver.told)) == (1, 3)


def test_killed_while_sending(settings: Settings, engine: Engine, receiver: Receiver, place: Place) -> None:
    """Whether it arrived nobody knows: after ten minutes it is sent once more, and says so."""
    run = place("patch", "one")
    ended(engine, run, Event.FAIL, "it broke")
    program = (
        "from datetime import datetime; from orchestrator import settings; from dataclasses import replace;"
        "from pathlib import Path; from orchestrator.database.engine import connect;"
        "from orchestrator.notify import watch;"
        f"chosen = replace(settings.read(), notify_file=Path({str(settings.notify_file)!r}));"
        f"watch.tell(chosen, connect(chosen.database_url), datetime.fromisoformat({NOW.isoformat()!r}))"
    )
    folders = {"AMC_HOME": str(settings.home), "AMC_REPOSITORY": str(settings.repository)}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=folders | {"AMC_DATABASE_URL": settings.database_url}
    )
    receiver.before = process.kill
    assert process.wait(30) == -9
    receiver.before = lambda: None
    assert states(engine) == {f"failed:{run.id}": ("sending", 1)}
    watch.tell(settings, engine, NOW + 9 * MINUTE)
    assert len(receiver.told) == 1
    watch.tell(settings, engine, NOW + 11 * MINUTE)
    watch.tell(settings, engine, NOW + 30 * MINUTE)
    first, second = receiver.told
    assert outbox.PERHAPS not in first["message"]
    assert second["message"].startswith(outbox.PERHAPS)
    assert states(engine) == {f"failed:{run.id}": ("sent", 2)}


def test_an_approval_is_wanted(settings: Settings, engine: Engine, receiver: Receiver, place: Place) -> None:
    """Told while it waits for somebody, and not again when it was decided."""
    run = replace(
        place("patch", "one"), id="acme-resize-1", key="big", activity="resize", needs_approval=True
    )
    with engine.begin() as connection:
        store.add(connection, replace(run, state=run.state.WAITING))
    watch.tell(settings, engine, NOW)
    assert receiver.titles == ["acme: resize waits for an approval (acme-erp1)"]
    assert "amc run approve acme-resize-1" in receiver.told[0]["message"]


def test_what_came_by_itself_and_was_refused(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """Nobody sat in front of it; an engineer has read his refusal."""
    run = replace(place("patch", "one"), state=State.REFUSED, words="the hours do not suffice", held=None)
    with engine.begin() as connection:
        for cause in ("engineer", "schedule", "change 0123456789ab"):
            store.add(connection, replace(run, id=f"acme-{cause[:6]}", key=cause, cause=cause))
    for _ in range(2):
        watch.tell(settings, engine, NOW)
    assert receiver.titles == ["acme: patch was refused (acme-erp1)"] * 2
    assert all("the hours do not suffice" in each["message"] for each in receiver.told)


def test_hours_are_told_at_80_95_and_100_percent(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """Of 60 hours; each once, only the highest that is reached; hours bought afterwards count."""
    contract = read_customer(settings.inventories, "acme")

    def use(key: str, hours: int) -> list[str]:
        terms = ActivityTerms(charge=Charge.CLOCK, minutes=None, when_used_up=WhenUsedUp.REFUSE, clause="C4")
        with engine.begin() as connection:
            ledger.hold(connection, contract, terms, key, seconds=hours * 3600, planned_at=NOW, now=NOW)
            ledger.settle(connection, contract, key, hours * 3600, terms, now=NOW)
        before = len(receiver.titles)
        for _ in range(2):
            watch.tell(settings, engine, NOW)
        return [title.partition(": ")[2] for title in receiver.titles[before:]]

    assert use("a", 47) == []
    assert use("b", 2) == ["80 % of the hours of 2026 are used"]
    assert use("c", 11) == ["100 % of the hours of 2026 are used"]
    with engine.begin() as connection:
        ledger.buy(connection, contract, 6 * 3600, key="more", note="an invoice", at=NOW)
    watch.tell(settings, engine, NOW)
    assert receiver.titles[-1].endswith("80 % of the hours of 2026 are used")
    assert len(receiver.titles) == 3


def test_maintenance_is_announced_moved_and_called_off(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """To the customer, in its own time: what waits for its time, and what the schedule is going to order."""
    run = place("patch", "one")
    planned = NOW + timedelta(hours=30)
    waiting = replace(run, id="acme-patch-2", key="two", state=run.state.WAITING, planned_at=planned)
    with engine.begin() as connection:
        store.add(connection, waiting)
    for _ in range(2):
        watch.tell(settings, engine, NOW)
    assert receiver.titles == ["Acme Trading LLC: maintenance on Wednesday 2026-11-25 22:00"]
    assert "patch of acme-erp1" in receiver.told[0]["message"]
    assert "(Asia/Dubai)" in receiver.told[0]["message"]
    with engine.begin() as connection:
        moved = planned + timedelta(days=9)
        store.move(connection, waiting, Event.RESCHEDULE, "no place", planned_at=moved)
    for _ in range(2):
        watch.tell(settings, engine, NOW + MINUTE)
    assert receiver.titles[1:] == ["Acme Trading LLC: maintenance is moved to Friday 2026-12-04 22:00"]
    assert "announced for Wednesday 2026-11-25 22:00 before" in receiver.told[1]["message"]
    with engine.begin() as connection:
        store.move(connection, waiting, Event.CANCEL, "not needed", ended_at=NOW)
    for _ in range(2):
        watch.tell(settings, engine, NOW + 2 * MINUTE)
    assert receiver.titles[2:] == ["Acme Trading LLC: no maintenance on Friday 2026-12-04 22:00"]


def test_an_occurrence_is_announced_before_it_is_ordered(
    settings: Settings, engine: Engine, receiver: Receiver, place: Place
) -> None:
    """Acme's patch comes on each month's second Saturday: December's on the 12th."""
    watch.tell(settings, engine, datetime.fromisoformat("2026-12-09T12:00:00+04:00"))
    assert receiver.titles == []
    for day in (10, 11):
        watch.tell(settings, engine, datetime.fromisoformat(f"2026-12-{day}T12:00:00+04:00"))
    assert receiver.titles == ["Acme Trading LLC: maintenance on Saturday 2026-12-12 22:30"]
    # Ordered, and moved from there: the run's time counts, not the occurrence's.
    moved = datetime.fromisoformat("2026-12-13T22:00:00+04:00")
    run = replace(place("patch", "one"), id="acme-patch-2", key="acme-patch-2026-12-12", planned_at=moved)
    with engine.begin() as connection:
        store.add(connection, replace(run, state=State.WAITING))
    for minute in (1, 2):
        watch.tell(settings, engine, datetime.fromisoformat(f"2026-12-11T12:0{minute}:00+04:00"))
    told = [title for title in receiver.titles if "maintenance" in title]
    assert told[1:] == ["Acme Trading LLC: maintenance is moved to Sunday 2026-12-13 22:00"]


def test_overdue(settings: Settings, engine: Engine, receiver: Receiver, place: Place) -> None:
    """A run that should have begun, and an occurrence that nothing ordered; told once, and in the ping."""
    watched = replace(settings, ping_url=f"http://{receiver.address}/ping/secret")
    run = place("patch", "one")
    late = replace(run, id="acme-patch-2", key="two", state=run.state.WAITING, planned_at=NOW - 31 * MINUTE)
    with engine.begin() as connection:
        store.add(connection, late)
    for _ in range(2):
        watch.tell(watched, engine, NOW)
    assert receiver.titles == ["acme: patch is overdue (acme-erp1)"]
    assert watch.overdue(watched, engine, NOW) == ["acme-patch-2 is overdue: still waiting"]
    # Nothing is missed of before the first worker, and of before the contract came here.
    hour = datetime.fromisoformat("2026-12-12T23:30:00+04:00")
    assert not [words for words in watch.overdue(watched, engine, hour) if "nothing ordered" in words]
    watch.note_beat(engine, "host:1", NOW)
    missed = [words for words in watch.overdue(watched, engine, hour) if "acme-patch-2026-12-12" in words]
    assert missed == ["acme-patch-2026-12-12 is overdue: nothing ordered it"]


def test_the_dead_mans_switch(settings: Settings, engine: Engine, receiver: Receiver, watched: Any) -> None:
    """Well; a fault of the worker's; and a switch that is out of reach harms nothing."""
    pinged = replace(settings, ping_url=f"http://{receiver.address}/ping/secret")
    watched.beat(pinged, engine, NOW)
    receiver.until(lambda: len(receiver.pings) == 1)
    watched.beat(pinged, engine, NOW, ["plan ahead: no such table"])
    watched.leave(pinged, engine, NOW)
    assert receiver.pings == [("/ping/secret", ""), ("/ping/secret/fail", "plan ahead: no such table")]
    with reading(engine) as connection:
        assert len(connection.execute(select(beats)).all()) == 1
    dead = Receiver()
    dead.close()
    watched.leave(replace(settings, ping_url=f"http://{dead.address}/ping/secret"), engine, NOW)


def test_channels_that_cant_be_read_are_the_pings_fault(
    settings: Settings, engine: Engine, receiver: Receiver, watched: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert settings.notify_file
    settings.notify_file.write_text("channels: 1\n")
    pinged = replace(settings, ping_url=f"http://{receiver.address}/ping/secret")
    watched.leave(pinged, engine, NOW)
    watched.leave(pinged, engine, NOW)
    assert receiver.pings[-1][0] == "/ping/secret/fail"
    assert "channels" in receiver.pings[-1][1]
    assert capsys.readouterr().out.count("nothing is told") == 1


@pytest.fixture
def watched() -> Iterator[Any]:
    """The watch of a process of its own."""
    watch._WATCH.__init__()  # type: ignore[misc]
    yield watch
    watch._WATCH.__init__()  # type: ignore[misc]


def test_a_test_message(settings: Settings, receiver: Receiver) -> None:
    from orchestrator.notify import channels

    assert settings.notify_file
    (channel,) = channels.read(settings.notify_file).channels
    assert courier.try_out(channel, NOW) == ""
    receiver.status = 403
    assert "403" in courier.try_out(channel, NOW)
    assert receiver.titles == ["amc: a test of the channel ops"] * 2
    assert (settings.inventories / "acme" / PLACE).is_file()
