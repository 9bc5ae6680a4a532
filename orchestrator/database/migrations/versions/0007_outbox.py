"""The outbox of notifications, and the workers' beats."""

import sqlalchemy as sa
from alembic import op

from orchestrator.database.metadata import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "notify_messages",
        sa.Column("key", sa.String(250), nullable=False),
        sa.Column("event", sa.String(20), nullable=False),
        sa.Column("customer", sa.String(32), nullable=False),
        sa.Column("run", sa.String(200)),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_notify_messages")),
    )
    op.create_table(
        "notify_deliveries",
        sa.Column("message", sa.String(250), nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("claimed_at", Instant()),
        sa.Column("ended_at", Instant()),
        sa.Column("words", sa.Text, nullable=False),
        sa.CheckConstraint(
            "state IN ('due', 'sending', 'sent', 'given-up')", name=op.f("ck_notify_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["message"], ["notify_messages.key"], name=op.f("fk_notify_deliveries_message")
        ),
        sa.PrimaryKeyConstraint("message", "channel", name=op.f("pk_notify_deliveries")),
    )
    op.create_index(op.f("ix_notify_deliveries_state"), "notify_deliveries", ["state"])
    op.create_table(
        "notify_beats",
        sa.Column("worker", sa.String(200), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("beat_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_notify_beats")),
    )
