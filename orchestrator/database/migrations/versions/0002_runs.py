"""The runs: one row an order, and one order a key unless it was refused."""

import sqlalchemy as sa
from alembic import op

from orchestrator.database.metadata import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATES = "'queued', 'running', 'done', 'rolled-back', 'failed', 'unknown', 'refused'"


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("customer", sa.String(32), nullable=False),
        sa.Column("activity", sa.String(32), nullable=False),
        sa.Column("servers", sa.JSON, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("check_mode", sa.Boolean, nullable=False),
        sa.Column("clause", sa.String(10), nullable=False),
        sa.Column("contract", sa.JSON, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("inventory", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer),
        sa.Column("ordered_at", Instant, nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("ended_at", Instant),
        sa.Column("held", sa.BigInteger),
        sa.Column("raw", sa.BigInteger),
        sa.Column("rounded", sa.BigInteger),
        sa.Column("charged", sa.BigInteger),
        sa.Column("overage", sa.BigInteger),
        sa.Column("manifest", sa.String(64)),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_runs_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    not_refused = sa.text("state <> 'refused'")
    op.create_index(
        op.f("ix_runs_key"),
        "runs",
        ["key"],
        unique=True,
        sqlite_where=not_refused,
        postgresql_where=not_refused,
    )
    op.create_index(op.f("ix_runs_customer_ordered_at"), "runs", ["customer", "ordered_at"])
    op.create_index(op.f("ix_runs_state"), "runs", ["state"])
