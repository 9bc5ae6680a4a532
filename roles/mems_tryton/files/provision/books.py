"""The company and its books: currency, chart of accounts, this fiscal year, payment term, category."""

import datetime
from decimal import Decimal

from trytond.config import config
from trytond.pool import Pool
from trytond.transaction import Transaction

CHART = ("account", "account_template_root_en")


def converge(wish: dict) -> list[str]:
    """Create what is missing; nothing that exists is overwritten, for the books are the customer's."""
    changed: list[str] = []
    _language(changed)
    currency = _currency(wish, changed)
    company = _company(wish, currency, changed)
    with Transaction().set_context(company=company.id, companies=[company.id]):
        _chart(company, changed)
        _fiscal_year(company, changed)
        _payment_term(changed)
        _accounting_category(company, changed)
    return changed


def _language(changed: list[str]) -> None:
    """The language that new records and users start with, as Tryton's own initialisation sets it."""
    code = config.get("database", "language")
    languages = Pool().get("ir.lang")
    (language,) = languages.search([("code", "=", code)])
    if not language.translatable:
        changed.append(f"language {code}")
        languages.write([language], {"translatable": True})
    settings = Pool().get("ir.configuration")(1)
    if settings.language != code:
        changed.append(f"default language {code}")
        settings.language = code
        settings.save()


def company_id() -> int:
    """The id of the one company that `converge` made sure of."""
    (company,) = Pool().get("company.company").search([], order=[("id", "ASC")], limit=1)
    return int(company.id)


def _currency(wish: dict, changed: list[str]):
    currencies = Pool().get("currency.currency")
    found = currencies.search([("code", "=", wish["currency"])])
    if found:
        return found[0]
    changed.append(f"currency {wish['currency']}")
    (currency,) = currencies.create(
        [
            {
                "name": wish["currency_name"],
                "code": wish["currency"],
                "symbol": wish["currency_symbol"],
                "rates": [("create", [{"date": datetime.date(2000, 1, 1), "rate": Decimal(1)}])],
            }
        ]
    )
    return currency


def _company(wish: dict, currency, changed: list[str]):
    companies = Pool().get("company.company")
    found = companies.search([], order=[("id", "ASC")], limit=1)
    if found:
        return found[0]
    changed.append(f"company {wish['name']}")
    (party,) = Pool().get("party.party").create([{"name": wish["name"], "code": "COMPANY"}])
    (company,) = companies.create(
        [{"party": party.id, "currency": currency.id, "timezone": wish["time_zone"]}]
    )
    return company


def _chart(company, changed: list[str]) -> None:
    accounts = Pool().get("account.account")
    if accounts.search([("company", "=", company.id)], limit=1):
        return
    changed.append("chart of accounts")
    wizard = Pool().get("account.create_chart", type="wizard")
    session, _, _ = wizard.create()
    chart = wizard(session)
    chart.account.account_template = Pool().get("ir.model.data").get_id(*CHART)
    chart.account.company = company
    chart.transition_create_account()
    for kind in ("receivable", "payable"):
        setattr(chart.properties, f"account_{kind}", account(company.id, kind))
    chart.properties.company = company
    chart.transition_create_properties()
    wizard.delete(session)


def account(company: int, kind: str):
    """The company's first open account of a kind: receivable, payable, revenue or expense."""
    found = (
        Pool()
        .get("account.account")
        .search(
            [(f"type.{kind}", "=", True), ("company", "=", company), ("closed", "!=", True)],
            order=[("id", "ASC")],
            limit=1,
        )
    )
    return found[0]


def _fiscal_year(company, changed: list[str]) -> None:
    years = Pool().get("account.fiscalyear")
    today = Pool().get("ir.date").today()
    if years.search(
        [("company", "=", company.id), ("start_date", "<=", today), ("end_date", ">=", today)], limit=1
    ):
        return
    name = str(today.year)
    changed.append(f"fiscal year {name}")
    moves = _sequence("ir.sequence", "Account Move", name, company)
    invoices = _sequence("ir.sequence.strict", "Invoice", name, company)
    numbers = ("out_invoice", "in_invoice", "out_credit_note", "in_credit_note")
    (year,) = years.create(
        [
            {
                "name": name,
                "start_date": datetime.date(today.year, 1, 1),
                "end_date": datetime.date(today.year, 12, 31),
                "company": company.id,
                "post_move_sequence": moves,
                "invoice_sequences": [
                    ("create", [{"company": company.id, **{f"{n}_sequence": invoices for n in numbers}}])
                ],
            }
        ]
    )
    years.create_period([year])


def _sequence(model: str, type_name: str, year: str, company) -> int:
    (kind,) = Pool().get("ir.sequence.type").search([("name", "=", type_name)], limit=1)
    (sequence,) = (
        Pool()
        .get(model)
        .create(
            [
                {
                    "name": f"{type_name} {year}",
                    "sequence_type": kind.id,
                    "company": company.id,
                    "prefix": f"{year}/",
                    "padding": 5,
                }
            ]
        )
    )
    return int(sequence.id)


def _payment_term(changed: list[str]) -> None:
    terms = Pool().get("account.invoice.payment_term")
    if terms.search([], limit=1):
        return
    changed.append("payment term 30 days")
    deltas = [("create", [{"days": 30}])]
    terms.create(
        [{"name": "30 days", "lines": [("create", [{"type": "remainder", "relativedeltas": deltas}])]}]
    )


def _accounting_category(company, changed: list[str]) -> None:
    categories = Pool().get("product.category")
    if categories.search([("accounting", "=", True)], limit=1):
        return
    changed.append("accounting category Goods")
    categories.create(
        [
            {
                "name": "Goods",
                "accounting": True,
                "account_revenue": account(company.id, "revenue").id,
                "account_expense": account(company.id, "expense").id,
            }
        ]
    )
