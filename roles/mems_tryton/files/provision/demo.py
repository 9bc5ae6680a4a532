"""A small business: customers, suppliers, products, sales and purchases in several states, posted invoices.

Everything made here is recognised by its code or reference (`demo-…`), so that a second run adds nothing.
"""

import datetime
from decimal import Decimal

import books
from trytond.pool import Pool
from trytond.transaction import Transaction

CUSTOMERS = (
    ("Northwind Bakery", "Harbour Road 3", "Bristol"),
    ("Delta Clinic", "Station Street 18", "Leeds"),
    ("Oakfield School", "Church Lane 2", "York"),
    ("Marina Hotel", "Quay 7", "Plymouth"),
    ("Kestrel Logistics", "Ring Road 112", "Derby"),
    ("Blue Door Architects", "Mill Street 41", "Bath"),
    ("Summit Outdoor", "High Street 9", "Keswick"),
    ("Ferry & Sons", "Dock 4", "Hull"),
)
SUPPLIERS = (
    ("Midland Paper", "Trade Park 1", "Coventry"),
    ("Lumen Lighting", "Foundry Way 22", "Sheffield"),
    ("Castle Furniture", "Forest Road 5", "Lincoln"),
)
# name, kind, list price, cost price
PRODUCTS = (
    ("Office chair", "goods", "189.00", "112.00"),
    ("Desk 160 cm", "goods", "349.00", "210.00"),
    ("Desk lamp", "goods", "59.90", "31.00"),
    ("Copy paper A4, 2,500 sheets", "goods", "24.50", "14.20"),
    ("Filing cabinet", "goods", "229.00", "140.00"),
    ("Whiteboard 120 x 90", "goods", "84.00", "46.50"),
    ("Delivery", "service", "35.00", "20.00"),
    ("Assembly, per hour", "service", "48.00", "30.00"),
)
# How far each order goes: sales and purchases take them in turn.
SALE_STATES = (
    "draft",
    "quotation",
    "confirmed",
    "processing",
    "invoiced",
    "processing",
    "invoiced",
    "cancelled",
)
SALES = 16
PURCHASE_STATES = ("draft", "quotation", "processing", "processing")
PURCHASES = 8
LINES_PER_ORDER = 3


def converge(check: bool) -> list[str]:
    """Make the demo business once; returns what was added. `check`: no files, which can't be rolled back."""
    changed: list[str] = []
    company = books.company_id()
    with Transaction().set_context(company=company, companies=[company]):
        customers = _parties("customer", CUSTOMERS, changed)
        suppliers = _parties("supplier", SUPPLIERS, changed)
        products = _products(changed)
        _sales(customers, products, changed)
        _purchases(suppliers, products, changed)
        _attachments(changed, check)
    return changed


def _parties(kind: str, wanted: tuple, changed: list[str]) -> list:
    parties = Pool().get("party.party")
    result = []
    for number, (name, street, city) in enumerate(wanted, 1):
        code = f"demo-{kind}-{number}"
        found = parties.search([("code", "=", code)])
        if not found:
            changed.append(f"{kind} {name}")
            address = [("create", [{"street": street, "city": city}])]
            found = parties.create([{"name": name, "code": code, "addresses": address}])
        result.append(found[0])
    return result


def _products(changed: list[str]) -> list:
    products, templates = Pool().get("product.product"), Pool().get("product.template")
    (category,) = Pool().get("product.category").search([("accounting", "=", True)], limit=1)
    units = Pool().get("product.uom")
    (unit,) = units.search([("symbol", "=", "u")], limit=1)
    result = []
    for number, (name, kind, price, cost) in enumerate(PRODUCTS, 1):
        code = f"demo-{number}"
        found = products.search([("code", "=", code)])
        if not found:
            changed.append(f"product {name}")
            (template,) = templates.create(
                [
                    {
                        "name": name,
                        "type": kind,
                        "default_uom": unit.id,
                        "salable": True,
                        "sale_uom": unit.id,
                        "purchasable": True,
                        "purchase_uom": unit.id,
                        "list_price": Decimal(price),
                        "account_category": category.id,
                        "products": [("create", [{"suffix_code": code, "cost_price": Decimal(cost)}])],
                    }
                ]
            )
            found = list(template.products)
        result.append(found[0])
    return result


def _order(model: str, number: int, party, products: list, day: datetime.date):
    """One unsaved order with its lines as Tryton itself would fill them in."""
    kind = model.split(".", maxsplit=1)[0]
    order = Pool().get(model)()
    order.company = books.company_id()
    order.party = party
    order.on_change_party()
    order.reference = f"demo-{number:04}"
    setattr(order, f"{kind}_date", day)
    lines = []
    for position in range(LINES_PER_ORDER):
        line = Pool().get(f"{kind}.line")()
        setattr(line, kind, order)
        line.type = "line"
        line.product = products[(number * LINES_PER_ORDER + position) % len(products)]
        line.quantity = float(1 + (number + position) % 7)
        line.on_change_product()
        if kind == "purchase":
            line.unit_price = line.product.cost_price
        lines.append(line)
    order.lines = lines
    return order


def _days(count: int) -> list[datetime.date]:
    """`count` days of this fiscal year up to today, ascending."""
    today = Pool().get("ir.date").today()
    span = (today - datetime.date(today.year, 1, 1)).days
    return [today - datetime.timedelta(days=span * (count - 1 - n) // count) for n in range(count)]


def _missing(model: str, count: int) -> list[int]:
    found = Pool().get(model).search([("reference", "like", "demo-____")])
    known = {order.reference for order in found}
    return [number for number in range(count) if f"demo-{number:04}" not in known]


def _sales(customers: list, products: list, changed: list[str]) -> None:
    sales = Pool().get("sale.sale")
    days = _days(SALES)
    missing = _missing("sale.sale", SALES)
    if not missing:
        return
    changed.append(f"{len(missing)} sales")
    orders = [_order("sale.sale", n, customers[n % len(customers)], products, days[n]) for n in missing]
    sales.save(orders)
    states = {n: SALE_STATES[n % len(SALE_STATES)] for n in missing}

    def reaching(*goals: str) -> list:
        return [order for n, order in zip(missing, orders, strict=True) if states[n] in goals]

    sales.quote(reaching("quotation", "confirmed", "processing", "invoiced"))
    sales.confirm(reaching("confirmed", "processing", "invoiced"))
    sales.process(reaching("processing", "invoiced"))
    sales.cancel(reaching("cancelled"))
    _post_invoices(sales.browse(reaching("invoiced")))


def _post_invoices(sales: list) -> None:
    """Post each sale's invoices, dated as the sale; ascending, as the strict invoice numbers require."""
    invoices = Pool().get("account.invoice")
    for sale in sorted(sales, key=lambda sale: (sale.sale_date, sale.id)):
        for invoice in sale.invoices:
            invoices.write([invoice], {"invoice_date": sale.sale_date, "accounting_date": sale.sale_date})
            invoices.post([invoice])


def _purchases(suppliers: list, products: list, changed: list[str]) -> None:
    purchases = Pool().get("purchase.purchase")
    days = _days(PURCHASES)
    missing = _missing("purchase.purchase", PURCHASES)
    if not missing:
        return
    changed.append(f"{len(missing)} purchases")
    orders = [
        _order("purchase.purchase", n, suppliers[n % len(suppliers)], products, days[n]) for n in missing
    ]
    for order in orders:
        order.invoice_address = order.party.address_get(type="invoice")
    purchases.save(orders)
    states = {n: PURCHASE_STATES[n % len(PURCHASE_STATES)] for n in missing}

    def reaching(*goals: str) -> list:
        return [order for n, order in zip(missing, orders, strict=True) if states[n] in goals]

    purchases.quote(reaching("quotation", "processing"))
    purchases.confirm(reaching("processing"))
    purchases.process(reaching("processing"))


def _attachments(changed: list[str], check: bool) -> None:
    """A delivery note on each order that was invoiced: what lies in the file store."""
    attachments = Pool().get("ir.attachment")
    invoiced = (
        Pool()
        .get("sale.sale")
        .search(
            [("reference", "like", "demo-____"), ("invoices.state", "=", "posted")], order=[("id", "ASC")]
        )
    )
    for sale in invoiced:
        name = f"{sale.reference}-delivery-note.txt"
        if attachments.search([("name", "=", name)]):
            continue
        changed.append(f"attachment {name}")
        if check:
            continue
        rows = [f"{line.quantity:g} x {line.product.rec_name}" for line in sale.lines]
        text = "\n".join([f"Delivery note for {sale.rec_name}", sale.party.name, *rows, ""])
        attachments.create([{"name": name, "type": "data", "data": text.encode(), "resource": str(sale)}])
