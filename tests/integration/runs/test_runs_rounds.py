"""The rounds: a fault of one duty is told once a minute and to the watch, and keeps nothing else back."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from orchestrator.database.engine import connect
from orchestrator.runs.rounds import Rounds
from orchestrator.settings import Settings

from .conftest import not_queued


class Heard:
    """A watch that writes down what it is told."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.beats = 0
        self.left = False

    def beat(self, settings: Settings, engine: Engine, now: datetime, faults: Sequence[str] = ()) -> None:
        self.beats += 1
        self.faults += faults

    def leave(self, settings: Settings, engine: Engine, now: datetime) -> None:
        self.left = True


def test_a_fault_is_told_once_a_minute_and_to_the_watch(house_settings: Settings) -> None:
    """A contract that can't be read: what is wrong is said in words, and the beats go on."""
    hosts = house_settings.inventories / "acme" / "hosts.yml"
    hosts.write_text("mems: {hosts: {acme-erp1: }}\n")
    contract = house_settings.inventories / "acme" / "group_vars" / "all" / "contract.yml"
    contract.write_text("amc_contract: {}\n")
    said: list[str] = []
    heard = Heard()
    engine = connect(house_settings.database_url)
    rounds = Rounds(house_settings, engine, not_queued, said.append, heard, plans=True)
    for _ in range(3):
        rounds._due = 0.0
        rounds.make(lambda: True)
    about = [line for line in said if line.startswith("plan ahead: ") and "contract.yml" in line]
    assert len(about) == 1
    assert heard.beats == 3 and [line for line in heard.faults if "contract.yml" in line] == about
    rounds.leave()
    assert heard.left
    engine.dispose()


def test_who_does_not_lead_makes_no_rounds(house_settings: Settings) -> None:
    """Of several workers one makes the rounds, and speaks for all."""
    said: list[str] = []
    heard = Heard()
    engine = connect(house_settings.database_url)
    Rounds(house_settings, engine, not_queued, said.append, heard, plans=True).make(lambda: False)
    assert (said, heard.beats) == ([], 0)
    engine.dispose()
