"""The ledger: chains, lots, postings and entries, the last two append-only by triggers."""

import sqlalchemy as sa
from alembic import op

from orchestrator.database.metadata import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and what guards them."""
    _chains_and_lots()
    _postings_and_entries()
    for table in ("ledger_postings", "ledger_entries"):
        if op.get_bind().dialect.name == "sqlite":
            _append_only_sqlite(table)
        else:
            _append_only_postgresql(table)


def _chains_and_lots() -> None:
    op.create_table(
        "ledger_chains",
        sa.Column("contract", sa.String, nullable=False),
        sa.Column("postings", sa.Integer, nullable=False),
        sa.Column("head", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("contract", name=op.f("pk_ledger_chains")),
    )
    op.create_table(
        "ledger_lots",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("contract", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("year", sa.Integer),
        sa.Column("valid_from", Instant, nullable=False),
        sa.Column("valid_until", Instant),
        sa.Column("acquired_at", Instant, nullable=False),
        sa.Column("available", sa.BigInteger, nullable=False),
        sa.CheckConstraint("kind IN ('retainer', 'prepaid')", name=op.f("ck_ledger_lots_kind")),
        sa.CheckConstraint("available >= 0", name=op.f("ck_ledger_lots_available")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_lots")),
        sa.UniqueConstraint("contract", "year", name=op.f("uq_ledger_lots_contract_year")),
    )


def _postings_and_entries() -> None:
    op.create_table(
        "ledger_postings",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("contract", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("contract_version", sa.Integer, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("planned_at", Instant),
        sa.Column("hold_id", sa.Integer),
        sa.Column("raw", sa.BigInteger),
        sa.Column("rounded", sa.BigInteger),
        sa.Column("seconds", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("previous", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
        sa.CheckConstraint(
            "kind IN ('grant', 'buy', 'hold', 'settle', 'void')", name=op.f("ck_ledger_postings_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_postings")),
        sa.ForeignKeyConstraint(
            ["contract"], ["ledger_chains.contract"], name=op.f("fk_ledger_postings_contract")
        ),
        sa.ForeignKeyConstraint(["hold_id"], ["ledger_postings.id"], name=op.f("fk_ledger_postings_hold_id")),
        sa.UniqueConstraint("key", name=op.f("uq_ledger_postings_key")),
        sa.UniqueConstraint("hold_id", name=op.f("uq_ledger_postings_hold_id")),
        sa.UniqueConstraint("contract", "sequence", name=op.f("uq_ledger_postings_contract_sequence")),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("posting_id", sa.Integer, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("lot_id", sa.Integer),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("seconds", sa.BigInteger, nullable=False),
        sa.CheckConstraint("seconds <> 0", name=op.f("ck_ledger_entries_seconds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.ForeignKeyConstraint(
            ["posting_id"], ["ledger_postings.id"], name=op.f("fk_ledger_entries_posting_id")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["ledger_lots.id"], name=op.f("fk_ledger_entries_lot_id")),
    )
    op.create_index(op.f("ix_ledger_entries_posting_id"), "ledger_entries", ["posting_id"])


def _append_only_sqlite(table: str) -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _append_only_postgresql(table: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()"
    )
