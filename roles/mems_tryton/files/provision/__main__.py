"""Make the Tryton database what the inventory says, and print what had to be changed.

TRYTOND_CONFIG names trytond.conf. stdin: one JSON object
    database   name of the PostgreSQL database, which exists unless its contents are awaited
    contents   provisioned: converge them; recovered: leave them; awaited: a recovery will bring them
    modules    names of the modules to activate, with what they need
    company    {name, currency, currency_name, currency_symbol, time_zone}
    passwords  {admin, check}
    demo_scale 0 none, 1 a small business, N the same business N times
    check      true: change nothing, say what would change
stdout: {"changed": ["module sale", "company Acme", ...], "modules": [name, ...]}
        `modules` are the active ones, or those that the wish makes active where there is no database yet

Everything but the modules is one transaction: all of it or nothing.
"""

import json
import sys

import books
import demo
import demo_scale
import modules
import users
from trytond.pool import Pool
from trytond.transaction import Transaction, TransactionError


def main() -> None:
    """Read the wish, converge unless the contents are a recovery's, report."""
    wish = json.load(sys.stdin)
    changed = converge(wish) if wish["contents"] == "provisioned" else []
    awaited = wish["contents"] == "awaited"
    active = modules.needed(wish["modules"]) if awaited else modules.active(wish["database"])
    print(json.dumps({"changed": changed, "modules": sorted(active)}))


def converge(wish: dict) -> list[str]:
    """Modules, then everything else; returns what had to be changed."""
    Pool.start()
    changed = modules.activate(wish["database"], wish["modules"], check=wish["check"])
    if not (changed and wish["check"]):
        # Tryton asks for table locks by an error that says how to start the transaction again.
        extras: dict = {}
        while True:
            try:
                changed += records(wish, extras)
                break
            except TransactionError as error:
                error.fix(extras)
    return changed


def records(wish: dict, extras: dict) -> list[str]:
    """Company, users and demo data in one transaction, rolled back when only checking."""
    with Transaction().start(wish["database"], 1, **extras) as transaction:
        changed = books.converge(wish["company"]) + users.converge(wish["passwords"])
        if wish["demo_scale"]:
            changed += demo.converge(wish["check"]) + demo_scale.converge(wish["demo_scale"])
        if wish["check"]:
            transaction.rollback()
    return changed


main()
