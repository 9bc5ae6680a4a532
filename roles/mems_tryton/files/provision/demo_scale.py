"""The demo business times N, by SQL: Tryton's own interface makes one sale in 0.8 s, this makes thousands.

Clone number n of the row with id i gets the id i + n * STRIDE, and so do all references between cloned rows:
a clone is as consistent as what it was cloned from. Only rows that `demo` made are cloned.
"""

from trytond.transaction import Transaction

STRIDE = 100_000
# An id is a 32-bit number: the last clone's rows must fit.
LARGEST = 20_000

PARTIES = "SELECT id FROM party_party WHERE code LIKE 'demo-customer-%'"
SALES = "SELECT id FROM sale_sale WHERE reference LIKE 'demo-____'"
INVOICES = (
    "SELECT invoice FROM account_invoice_line WHERE origin IN"
    f" (SELECT 'sale.line,' || id FROM sale_line WHERE sale IN ({SALES}))"
)
POSTED = f"SELECT id FROM account_invoice WHERE state = 'posted' AND id IN ({INVOICES})"
MOVES = f"SELECT move FROM account_invoice WHERE id IN ({POSTED})"
# In the order of their references: which rows are cloned (all of them have ids below STRIDE).
TABLES = {
    "party_party": f"id IN ({PARTIES})",
    "party_address": f"party IN ({PARTIES})",
    "sale_sale": f"id IN ({SALES})",
    "sale_line": f"sale IN ({SALES})",
    "account_move": f"id IN ({MOVES})",
    "account_move_line": f"move IN ({MOVES})",
    "account_invoice": f"id IN ({POSTED})",
    "account_invoice_line": f"invoice IN ({POSTED})",
}
# Text that names a row has to differ in each clone; what Tryton renders again when it is missing is left out.
NUMBERED = {"code", "number", "post_number", "reference"}
EMPTIED = {"invoice_report_cache", "invoice_report_cache_id", "invoice_report_format"}


def converge(scale: int) -> list[str]:
    """Clone up to `scale` businesses in all; what is there stays, a smaller scale removes nothing."""
    if scale > LARGEST:
        raise SystemExit(f"mems_tryton_demo_scale is {scale}: the largest is {LARGEST}")
    cursor = Transaction().connection.cursor()
    cursor.execute("SELECT count(*) FROM party_party WHERE code LIKE 'demo-customer-1/%%'")
    ((clones,),) = cursor.fetchall()
    if clones + 1 >= scale:
        return []
    for table, rows in TABLES.items():
        columns = _columns(cursor, table)
        values = ", ".join(_value(name, kind, to) for name, (kind, to) in columns.items())
        names = ", ".join(f'"{name}"' for name in columns)
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}" AS row,'
            f" generate_series({clones + 1}, {scale - 1}) AS n WHERE row.id < {STRIDE} AND ({rows})"
        )
        cursor.execute(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM \"{table}\"))")
        cursor.execute(f'ANALYZE "{table}"')
    return [f"demo business times {scale} (was {clones + 1})"]


def _columns(cursor, table: str) -> dict[str, tuple[str, str | None]]:
    """Column -> its type and the table that it references."""
    cursor.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL), c.confrelid::regclass::text FROM pg_attribute a"
        " LEFT JOIN pg_constraint c ON c.contype = 'f' AND c.conrelid = a.attrelid"
        " AND c.conkey = ARRAY[a.attnum]"
        " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (table,),
    )
    return {name: (kind, to) for name, kind, to in cursor.fetchall()}


def _value(name: str, kind: str, references: str | None) -> str:
    """The clone's value of one column, as SQL over `row` and the clone's number n."""
    column = f'row."{name}"'
    if name == "id" or references in TABLES:
        return f"{column} + n * {STRIDE}"
    if name in NUMBERED:
        return f"{column} || '/' || n"
    if name in EMPTIED:
        return f"NULL::{kind}"
    if name == "origin":
        return (
            f"split_part({column}, ',', 1) || ',' || (split_part({column}, ',', 2)::integer + n * {STRIDE})"
        )
    return column
