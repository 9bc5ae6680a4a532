"""Runs that wait for their time, that somebody starts by hand, and that somebody stops."""

import sqlalchemy as sa
from alembic import op

from orchestrator.database.metadata import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATES = (
    "'waiting', 'queued', 'running', 'done', 'rolled-back', 'failed', 'unknown', 'rejected', 'cancelled',"
    " 'refused'"
)


def upgrade() -> None:
    """Add the columns and the state. Every run that waits by now waits for an approval."""
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("planned_at", Instant()))
        table.add_column(sa.Column("needs_approval", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("urgent", sa.Text))
        table.add_column(sa.Column("stop", sa.JSON(none_as_null=True)))
        table.add_column(sa.Column("hand", sa.JSON(none_as_null=True)))
        table.add_column(sa.Column("beats", sa.JSON(none_as_null=True)))
        # SQLite's table is made anew here, from what SQLAlchemy reads of it: all but the check.
        if op.get_context().dialect.name != "sqlite":
            table.drop_constraint(op.f("ck_runs_state"), type_="check")
        table.create_check_constraint(op.f("ck_runs_state"), f"state IN ({STATES})")
    op.execute("UPDATE runs SET needs_approval = true WHERE state = 'waiting'")
