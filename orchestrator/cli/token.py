"""`amc token`: who may ask over HTTP."""

import dataclasses
import getpass
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator import settings as settings_
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.web.tokens import Token

app = typer.Typer(help="Tokens: what lets somebody ask `amc serve`.", no_args_is_help=True)


@app.command()
def add(
    *,
    name: Annotated[str, typer.Option(help="whose, or what for; stands in the logs and on statements")],
    role: Annotated[str, typer.Option(help="engineer, ci or monitor")],
    customer: Annotated[list[str] | None, typer.Option(help="for this customer; may be repeated")] = None,
    days: Annotated[int, typer.Option(help="how long it is good, 366 at most")] = 90,
) -> None:
    """Make a token and print it: this once, only its hash is kept."""
    from orchestrator.database.engine import connect
    from orchestrator.fleet.read import customers
    from orchestrator.web import tokens

    settings = settings_.read()
    known = customers(settings.inventories)
    if strange := [each for each in customer or [] if each not in known]:
        raise UsageError(f"there is no customer {', '.join(strange)}", f"customers: {', '.join(known)}")
    if role not in set(tokens.Role):
        raise UsageError(f"there is no role {role!r}", f"one of {', '.join(tokens.Role)}")
    secret = tokens.add(
        connect(settings.database_url),
        name=name,
        role=tokens.Role(role),
        customers=customer or [],
        days=days,
        by=getpass.getuser(),
        now=datetime.now(UTC),
    )
    print(secret)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False) -> None:
    """Show the tokens there are, without their secrets, which nobody has."""
    from orchestrator.database.engine import connect
    from orchestrator.web import tokens

    found = tokens.listing(connect(settings_.read().database_url))
    if as_json:
        print(json.dumps([_document(each) for each in found], indent=2))
        return
    now = datetime.now(UTC)
    for each in found:
        state = "good" if each.is_good(now) else "revoked" if each.revoked_at else "over"
        whose = ", ".join(each.customers)
        print(f"{each.name:24} {each.role:9} {state:8} until {each.expires_at:%Y-%m-%d}  {whose}".rstrip())
    if not found:
        print("no tokens yet")


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="see `amc token list`")]) -> None:
    """Take a token back: it opens nothing from now on."""
    from orchestrator.database.engine import connect
    from orchestrator.web import tokens

    tokens.revoke(connect(settings_.read().database_url), name, datetime.now(UTC))
    print(f"{name} is revoked")


def _document(token: "Token") -> dict[str, object]:
    found = dataclasses.asdict(token)
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in found.items()}
