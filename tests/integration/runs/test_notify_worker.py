"""A real worker that tells and pings, by its settings."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrator.runs import store
from orchestrator.runs.states import Event

from .conftest import House
from .receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def test_a_worker_tells_before_it_leaves(house: House, receiver: Receiver) -> None:
    """A real one, by its settings: the run that failed is told, the dead-man's switch is pinged."""
    file = house.folder / "notify.yml"
    file.write_text(f"channels: [{{name: ops, url: 'json://{receiver.address}/told'}}]\n")
    house.environment |= {"AMC_NOTIFY_FILE": str(file), "AMC_PING_URL": f"http://{receiver.address}/ping/x"}
    (house.folder / "fail").touch()
    house.go()
    run = house.order()
    house.finish()
    assert receiver.titles == ["acme: patch failed, a person has to look (acme-erp1)"]
    assert run in receiver.told[0]["message"]
    assert ("/ping/x", "") in receiver.pings


def test_no_run_fails_by_a_channel(house: House, receiver: Receiver) -> None:
    """One refuses, one is not there, nor is the dead-man's switch, while there is a failure to tell."""
    file = house.folder / "notify.yml"
    receiver.status = 500
    closed = Receiver()
    closed.close()
    urls = (f"json://{receiver.address}/told", f"json://{closed.address}/told")
    channels = ", ".join(f"{{name: c{place}, url: '{url}'}}" for place, url in enumerate(urls))
    file.write_text(f"channels: [{channels}]\n")
    house.environment |= {"AMC_NOTIFY_FILE": str(file), "AMC_PING_URL": f"http://{closed.address}/ping/x"}
    house.go()
    run = house.order()
    with house.engine.begin() as connection:
        other = replace(store.get(connection, run), id="acme-patch-2", key="two")
        store.add(connection, other)
        store.move(connection, other, Event.FAIL, "it broke", ended_at=datetime.now(UTC))
    house.finish()
    assert house.standing(run) == "done"
    assert len(receiver.told) == 1
