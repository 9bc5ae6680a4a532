"""Runs that wait for somebody's approval of their plan."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATES = "'waiting', 'queued', 'running', 'done', 'rolled-back', 'failed', 'unknown', 'rejected', 'refused'"


def upgrade() -> None:
    """Add the column and the states; nobody decided on runs that are there."""
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("decision", sa.JSON(none_as_null=True)))
        # SQLite's table is made anew here, from what SQLAlchemy reads of it: all but the check.
        if op.get_context().dialect.name != "sqlite":
            table.drop_constraint(op.f("ck_runs_state"), type_="check")
        table.create_check_constraint(op.f("ck_runs_state"), f"state IN ({STATES})")
