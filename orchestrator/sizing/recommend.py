"""Recommendations for a customer's servers: what the inventories say, what Prometheus saw, and the rules."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.contracts.read import read_customer
from orchestrator.errors import UsageError
from orchestrator.fleet import read as fleet
from orchestrator.settings import Settings
from orchestrator.sizing import catalogue, history, prometheus, wanted
from orchestrator.sizing.load import Load
from orchestrator.sizing.margins import Margins, Moment
from orchestrator.sizing.rules import Present, Recommendation, recommend


@dataclass(frozen=True)
class Seen:
    """A customer's servers with their loads, in the order of their names; times are told in `zone`."""

    zone: ZoneInfo
    servers: tuple[tuple[Present, Load], ...]


def seen(settings: Settings, customer: str, server: str | None, now: datetime) -> Seen:
    """Read inventories and Prometheus, for one server or all.

    InvalidInput, UsageError for an unknown server; Unreachable and AmcError as in prometheus.py.
    """
    zone = _zone(settings, customer)
    presents = _presents(settings, customer, server)
    with prometheus.connected(settings) as open_prometheus:
        loads = history.read(open_prometheus, customer, list(presents), now)
    return Seen(zone, tuple((present, loads[name]) for name, present in presents.items()))


def recommendations(
    settings: Settings,
    customer: str,
    now: datetime,
    server: str | None = None,
    margins: Margins | None = None,
) -> list[Recommendation]:
    """One recommendation for each server; `now` in UTC. Errors as in `seen`."""
    found = seen(settings, customer, server, now)
    moment = Moment(now, found.zone, margins or Margins())
    specs = catalogue.read()
    return [recommend(load, present, specs, moment) for present, load in found.servers]


def _presents(settings: Settings, customer: str, server: str | None) -> dict[str, Present]:
    servers = fleet.read(settings.inventories, customer).servers
    names = [each.name for each in servers]
    if server is not None and server not in names:
        raise UsageError(f"{customer} has no server {server!r}", f"its servers are: {', '.join(names)}")
    sized = {each.name: each for each in wanted.read(settings.inventories, customer)}
    return {
        each.name: Present(each.provider, own.spec, own.disk_gib)
        if (own := sized.get(each.name))
        else Present(each.provider, None)
        for each in servers
        if server in (None, each.name)
    }


def _zone(settings: Settings, customer: str) -> ZoneInfo:
    """The customer's clock; what customers share has no contract."""
    if customer == fleet.NOT_A_CUSTOMER:
        return ZoneInfo("UTC")
    return read_customer(settings.inventories, customer).zone
