#!/usr/bin/python3
"""Business figures, the same before a backup and after its restore. One JSON document on stdout.

    counts  rows by business object, sales and invoices by state
    sums    amounts of sales and of the books, as text with all their digits
    files   {"count", "bytes", "hash"} of the file store, by content
    hash    one SHA-256 over all of the above and over every row of the tables that hold business data
    missing files that the database names and the file store lacks, at most 1000; empty on a whole server

Read in one transaction, as a snapshot. Logins, sessions and other traces of use are left out: they are not
business. Root only. Exit 1 with words on stderr when the database does not answer.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

PROFILE = Path("/etc/mems/profile.json")
SECONDS = 600

COUNTS = {
    "parties": "SELECT count(*) FROM party_party",
    "products": "SELECT count(*) FROM product_product",
    "purchases": "SELECT count(*) FROM purchase_purchase",
    "accounting_moves": "SELECT count(*) FROM account_move",
    "stock_moves": "SELECT count(*) FROM stock_move",
    "attachments": "SELECT count(*) FROM ir_attachment",
    "sales": "SELECT json_object_agg(state, n) FROM"
    " (SELECT state, count(*) AS n FROM sale_sale GROUP BY 1) s",
    "invoices": "SELECT json_object_agg(state, n) FROM"
    " (SELECT state, count(*) AS n FROM account_invoice GROUP BY 1) i",
}
SUMS = {
    "sales": "SELECT coalesce(sum(total_amount_cache), 0) FROM sale_sale",
    "invoices_out_posted": "SELECT coalesce(sum(total_amount_cache), 0) FROM account_invoice"
    " WHERE type = 'out' AND state IN ('posted', 'paid')",
    "debit": "SELECT coalesce(sum(debit), 0) FROM account_move_line",
    "credit": "SELECT coalesce(sum(credit), 0) FROM account_move_line",
}
# Tables of these modules are business; of `ir` only what users attach. Rows add up in any order.
BUSINESS = r"^(account|company|currency|party|product|purchase|sale|stock)_|^ir_(attachment|note)$"
NAMED = "SELECT coalesce(json_agg(DISTINCT file_id), '[]') FROM ir_attachment WHERE file_id <> ''"
ROWS = 'SELECT count(*), coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) FROM "{table}" AS r'


class Snapshot:
    """One psql that keeps one transaction open: all statements see the same moment."""

    def __init__(self, database: str) -> None:
        command = [
            "runuser",
            "-u",
            "postgres",
            "--",
            "psql",
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
        ]
        self.command = command

    def read(self, statements: list[str]) -> list[str]:
        """The single value of each statement, as text."""
        script = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"]
        # Fixed, so that text forms of numbers and times are the same on every server.
        script += ["SET timezone = 'UTC'; SET datestyle = 'ISO'; SET extra_float_digits = 1;"]
        for statement in statements:
            script += [f"{statement};", r"\echo"]
        done = subprocess.run(
            self.command,
            input="\n".join(script),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd="/",
        )
        if done.returncode != 0:
            raise SystemExit(f"figures: {done.stderr.strip()}")
        return [value.strip("\n") for value in done.stdout.split("\n\n")[: len(statements)]]


def main() -> int:
    """Print the document."""
    profile = json.loads(PROFILE.read_text())
    database = Snapshot(profile["database"])
    listed = (
        "SELECT string_agg(tablename, ' ' ORDER BY tablename COLLATE \"C\") FROM pg_tables"
        f" WHERE schemaname = 'public' AND tablename ~ '{BUSINESS}'"
    )
    tables = database.read([listed])[0].split()
    values = database.read(
        [*COUNTS.values(), *SUMS.values(), *[ROWS.format(table=table) for table in tables], NAMED]
    )
    named: list[str] = json.loads(values.pop())
    counts = dict(zip(COUNTS, (json.loads(value or "{}") for value in values), strict=False))
    sums = dict(zip(SUMS, values[len(COUNTS) :], strict=False))
    rows = dict(zip(tables, values[len(COUNTS) + len(SUMS) :], strict=True))
    files = store(Path(profile["files"]))
    document = {"counts": counts, "sums": sums, "files": files}
    whole = json.dumps([document, rows], sort_keys=True)
    missing = lacking(named, Path(profile["files"]) / profile["database"])
    digest = hashlib.sha256(whole.encode()).hexdigest()
    print(json.dumps({**document, "hash": digest, "missing": missing[:1000]}))
    return 0


def lacking(named: list[str], folder: Path) -> list[str]:
    """Of the files that attachments name those that are not there, as Tryton's file store names them."""
    places = [Path(name[:2], name[2:4], name) for name in sorted(named)]
    return [str(Path(folder.name, place)) for place in places if not (folder / place).is_file()]


def store(folder: Path) -> dict[str, object]:
    """Count, bytes and a hash over names and contents of the file store."""
    digest, count, size = hashlib.sha256(), 0, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder)}\0{content}\n".encode())
        count, size = count + 1, size + path.stat().st_size
    return {"count": count, "bytes": size, "hash": digest.hexdigest()}


if __name__ == "__main__":
    sys.exit(main())
