"""`amc statement`: a calendar year's evidence for the customer."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestrator import settings as settings_


def statement(
    customer: Annotated[str, typer.Option(help="the customer's folder in inventories/")],
    year: Annotated[int, typer.Option(min=2000, max=2999, help="the calendar year")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Print a year's statement: hours opening to closing, every run, the contract's notes."""
    from orchestrator.contracts.read import read_customer
    from orchestrator.database.engine import connect, reading
    from orchestrator.ledger.reading import head, year_account
    from orchestrator.runs import store, view
    from orchestrator.statements import data, text

    settings = settings_.read()
    contract = read_customer(settings.inventories, customer)
    now = datetime.now(UTC)
    with reading(connect(settings.database_url)) as connection:
        account = year_account(connection, contract, year, now)
        rows = [
            run for run in store.listing(connection, customer) if run.contract["number"] == contract.number
        ]
        last = head(connection, contract)
    runs = [data.StatementRun(**view.accounted(settings, run)) for run in rows]
    found = data.compose(contract, account, runs, head=last, at=now)
    print(json.dumps(data.document(found), indent=2) if as_json else text.render(found))
