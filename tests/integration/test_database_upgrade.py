"""`amc init` on a database that an earlier release has made and filled."""

import json

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from orchestrator.contracts.read import read_customer
from orchestrator.database.creation import initialise
from orchestrator.database.engine import VERSIONS, connect, newest_version, open_engine, parse_url, reading
from orchestrator.runs import store
from orchestrator.runs.order import Order
from orchestrator.settings import read as settings

RUN = {
    "id": "acme-patch-20261124-080000-x7k2",
    "key": "nightly",
    "customer": "acme",
    "activity": "patch",
    "servers": json.dumps(["acme-erp1"]),
    "cause": "engineer",
    "check_mode": False,
    "clause": "C4",
    "repository": "/r",
    "inventory": "/r/inventories/acme",
    "state": "done",
    "words": "",
}


def _upgrade(connection: Connection, version: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def test_runs_from_before_there_were_options_have_none(empty_database_url: str) -> None:
    """The row is found under its key, as it was; the same order given again is still the same order."""
    order = Order("acme", "patch", ("acme-erp1",), "engineer", "nightly")
    contract = read_customer(settings({}).inventories, "acme")
    row = RUN | {"request": order.digest(), "contract": contract.model_dump_json()}
    with open_engine(parse_url(empty_database_url)).begin() as connection:
        _upgrade(connection, "0002")
        names = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        connection.execute(
            text(f"INSERT INTO runs ({names}, ordered_at) VALUES ({values}, '2026-11-24 08:00:00')"), row
        )
    assert initialise(empty_database_url) == [f"brought the schema from 0002 to {newest_version()}"]
    with reading(connect(empty_database_url)) as connection:
        found = store.ordered_under(connection, "nightly")
    assert found is not None
    assert (found.options, found.servers, found.request) == ({}, ["acme-erp1"], order.digest())
    assert found.agreed() == contract
