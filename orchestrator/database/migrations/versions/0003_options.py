"""What an order says beyond its activity, such as `--to` of a recovery."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs that are there have no options."""
    op.add_column("runs", sa.Column("options", sa.JSON, nullable=False, server_default=sa.text("'{}'")))
