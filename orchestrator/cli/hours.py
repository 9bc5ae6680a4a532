"""`amc hours`: what is left, what was bought, what happened, and whether the ledger is whole."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator import settings
from orchestrator.errors import NeedsPerson

# SQLAlchemy and pydantic are imported where a command needs them: `amc --help` has to be quick.
if TYPE_CHECKING:
    from sqlalchemy import Connection

    from orchestrator.contracts.model import Contract
    from orchestrator.ledger.accounts import Balance, LotBalance
    from orchestrator.ledger.reading import Line, Verification

app = typer.Typer(help="The hours of a customer's contract.", no_args_is_help=True)

Customer = Annotated[str, typer.Option("--customer", help="the customer's folder in the inventories")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document; all amounts in seconds")]


@app.command()
def balance(customer: Customer, as_json: AsJson = False) -> None:
    """Show the lots, and what of them is available, held and used."""
    from orchestrator.ledger import reading

    with _reading(customer) as (connection, contract):
        found = reading.balance(connection, contract, datetime.now(UTC))
    if as_json:
        _print_json(_named(contract) | dataclasses.asdict(found))
    else:
        print("\n".join(_balance_lines(contract, found)))


@app.command()
def buy(
    customer: Customer,
    hours: Annotated[str, typer.Option("--hours", help="2.5 or 2:30")],
    note: Annotated[str, typer.Option("--note", help="what for: an invoice, an order")],
    key: Annotated[
        str, typer.Option("--key", help="the same key never buys twice; by default every call buys")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Enter hours that the customer has prepaid."""
    import uuid

    from orchestrator.database.engine import connect
    from orchestrator.ledger import hours as words
    from orchestrator.ledger import reading, store

    seconds = words.parse(hours)
    contract = _contract(customer)
    with connect(settings.read().database_url).begin() as connection:
        now = datetime.now(UTC)
        posting = store.buy(
            connection, contract, seconds, key=key or uuid.uuid4().hex[:12], note=note, at=now
        )
        left = reading.balance(connection, contract, now).available
    if as_json:
        _print_json(_named(contract) | dataclasses.asdict(posting) | {"available": left})
    else:
        bought = f"{words.show(posting.seconds)} prepaid on {_local(contract, posting.at)}"
        print(f"{bought}, posting {posting.sequence}")
        print(f"{words.show(left or 0)} are available now")


@app.command()
def log(customer: Customer, as_json: AsJson = False) -> None:
    """Show every posting, oldest first."""
    from orchestrator.ledger import reading

    with _reading(customer) as (connection, contract):
        lines = reading.log(connection, contract)
    if as_json:
        _print_json(_named(contract) | {"postings": [_log_document(line) for line in lines]})
    else:
        print("\n".join(_log_line(contract, line) for line in lines) or "nothing was posted yet")


@app.command()
def verify(
    customer: Customer,
    head: Annotated[
        str, typer.Option("--head", help="a head that a statement shows: is it still in the chain?")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Compute the ledger's chain of hashes again and compare (exit code 8 when something was changed)."""
    from orchestrator.ledger import reading

    with _reading(customer) as (connection, contract):
        found = reading.verify(connection, contract, head)
    if as_json:
        _print_json(_named(contract) | {"whole": not found.faults} | dataclasses.asdict(found))
    elif not found.faults:
        print(f"{found.postings} postings, the chain is whole; its head is {found.head}")
    if found.faults:
        raise NeedsPerson(
            _fault_words(contract, found), "compare with the last backup and the printed statements"
        )


@contextmanager
def _reading(customer: str) -> "Iterator[tuple[Connection, Contract]]":
    from orchestrator.database.engine import connect, reading

    contract = _contract(customer)
    with reading(connect(settings.read().database_url)) as connection:
        yield connection, contract


def _contract(customer: str) -> "Contract":
    from orchestrator.contracts.read import read_customer

    return read_customer(settings.read().inventories, customer)


def _balance_lines(contract: "Contract", found: "Balance") -> Iterator[str]:
    from orchestrator.ledger.hours import show

    yield (
        f"{contract.customer_name}: {contract.number} version {contract.version}, {contract.mode}, "
        f"on {_local(contract, found.at)} ({contract.time_zone})"
    )
    if found.lots:
        yield f"{'hours':<24}{'until':<12}" + "".join(
            f"{word:>11}" for word in ("size", "available", "held", "used")
        )
    for lot in found.lots:
        amounts = (lot.size, lot.available, lot.held, lot.used)
        yield f"{_lot_name(contract, lot):<24}{_until(contract, lot):<12}" + "".join(
            f"{show(n):>11}" for n in amounts
        )
    available = "no cap" if found.available is None else f"{show(found.available)} available"
    this_year = f"in {found.year} {show(found.used)} used, {show(found.overage)} overage"
    yield f"{available}, {show(found.held)} held; {this_year}"
    if found.entitled != found.granted:
        yield (
            f"note: the contract's file grants {show(found.entitled)} for {found.year}, "
            f"{show(found.granted)} were posted: a change within the year is not in the ledger"
        )


def _lot_name(contract: "Contract", lot: "LotBalance") -> str:
    if lot.year is not None:
        return f"calendar year {lot.year}"
    return f"prepaid {lot.valid_from.astimezone(contract.zone).date()}"


def _until(contract: "Contract", lot: "LotBalance") -> str:
    """The last day, not the first one after it."""
    from datetime import timedelta

    if lot.valid_until is None:
        return "no end"
    return str((lot.valid_until - timedelta(microseconds=1)).astimezone(contract.zone).date())


def _log_line(contract: "Contract", line: "Line") -> str:
    from orchestrator.ledger.hours import show

    posting = line.posting
    told = [f"{_local(contract, posting.at)}  {posting.kind:<7}{show(posting.seconds):>8}  {line.key}"]
    if posting.planned_at is not None:
        told.append(f"for {_local(contract, posting.planned_at)}")
    if posting.kind == "settle":
        told.append(f"worked {show(posting.raw or 0)}, rounded {show(posting.rounded or 0)}")
    if line.overage:
        told.append(f"overage {show(line.overage)}")
    if posting.note:
        told.append(posting.note)
    return "  ".join(told)


def _log_document(line: "Line") -> dict[str, Any]:
    return dataclasses.asdict(line.posting) | {"key": line.key, "overage": line.overage}


def _fault_words(contract: "Contract", found: "Verification") -> str:
    count = len(found.faults)
    return f"the ledger of {contract.number} is not whole, {count} faults:\n  " + "\n  ".join(found.faults)


def _local(contract: "Contract", at: datetime) -> str:
    return f"{at.astimezone(contract.zone):%Y-%m-%d %H:%M}"


def _named(contract: "Contract") -> dict[str, Any]:
    return {"customer": contract.customer, "contract": contract.number, "contract_version": contract.version}


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2, default=datetime.isoformat))
