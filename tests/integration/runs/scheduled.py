"""Acme with windows on two nights, its runs as rows: what is ordered, released and planned at which time."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Engine

from orchestrator.contracts.model import Contract
from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import connect, reading
from orchestrator.ledger import reading as ledger
from orchestrator.runs import beginning, outcome, placing, planning, store, waiting
from orchestrator.runs.evidence import write_json
from orchestrator.runs.order import Order
from orchestrator.runs.states import Event
from orchestrator.runs.store import Run
from orchestrator.settings import Settings

CONTRACT = """amc_contract:
  customer: acme
  customer_name: Acme Trading LLC
  number: AMC-2026-0001
  version: 1
  mode: retainer
  time_zone: Asia/Dubai
  term: {start: 2026-01-01}
  hours: {per_calendar_year: 60}
  maintenance_windows: [{days: [friday, saturday], start: "22:00", end: "04:00"}]
  emergency: {allowed: true}
  activities:
    deploy: {charge: none}
    check: {recurrence: {rule: never}}
    drill: {recurrence: {rule: never}}
    patch: {minutes: 45, recurrence: {rule: FREQ=MONTHLY;BYDAY=2SA, at: "22:30"}}
"""
HOSTS = "all: {children: {mems: {hosts: {acme-erp1: }}}}\n"
TUESDAY = datetime(2026, 11, 24, 12, tzinfo=UTC)
FRIDAY_NIGHT = datetime(2026, 11, 27, 18, tzinfo=UTC)  # 22:00 in Dubai: a window opens
SATURDAY_NIGHT = FRIDAY_NIGHT + timedelta(days=1)
PATCH_SECONDS = 45 * 60


@dataclass
class Scheduled:
    """One customer; `queued` are the runs that were given to the queue, in order."""

    settings: Settings
    queued: list[str] = field(default_factory=list)

    @cached_property
    def engine(self) -> Engine:
        return connect(self.settings.database_url)

    @property
    def contract(self) -> Contract:
        return read_customer(self.settings.inventories, "acme")

    def agree(self, old: str, new: str) -> None:
        """Change the contract's text."""
        file = self.settings.inventories / "acme/group_vars/all/contract.yml"
        text = file.read_text()
        assert text.count(old) == 1
        file.write_text(text.replace(old, new))

    def enqueue(self, _connection: Connection, run: str, _customer: str) -> None:
        self.queued.append(run)

    def order(self, activity: str, now: datetime, *, check: bool = False, **more: Any) -> Run:
        key = more.pop("key", f"{activity}-{len(self.runs())}")
        order = Order("acme", activity, ("acme-erp1",), more.pop("cause", "engineer"), key, check)
        run, _ = placing.place(
            self.engine, self.settings, self.contract, order, now=now, enqueue=self.enqueue, **more
        )
        return self.run(run.id)

    def release(self, now: datetime) -> list[str]:
        return waiting.release(self.engine, now, self.enqueue)

    def plan(self, now: datetime) -> list[str]:
        return planning.plan_ahead(self.settings, self.engine, now, self.enqueue)

    def work(self, run: str, now: datetime, minutes: int = 10) -> Run:
        """The run from the queue to its end."""
        evidence = beginning.begin(self.settings, self.engine, run, now)
        ended = now + timedelta(minutes=minutes)
        beat = [now.isoformat(), ended.isoformat()]
        write_json(evidence.attempt(1).claim, {})
        write_json(evidence.attempt(1).effort, [beat])
        outcome.settle(self.settings, self.engine, run, Event.SUCCEED, "", now=ended)
        return self.run(run)

    def run(self, run: str) -> Run:
        with reading(self.engine) as connection:
            return store.get(connection, run)

    def runs(self) -> list[Run]:
        """The oldest first."""
        with reading(self.engine) as connection:
            return store.listing(connection, "acme")[::-1]

    def held(self, year: int = 2026) -> int:
        """Seconds that are held for work of the year."""
        with reading(self.engine) as connection:
            return ledger.year_account(connection, self.contract, year, TUESDAY).held

    def postings(self, run: str) -> list[str]:
        with reading(self.engine) as connection:
            lines = ledger.log(connection, self.contract)
        return [str(line.posting.kind) for line in lines if run in line.key]
