"""The tokens' table: who may ask over HTTP. Changed by web/tokens.py only."""

from sqlalchemy import JSON, CheckConstraint, Column, String, Table, Text

from orchestrator.database.metadata import Instant, metadata

# `customers`: whose matters it opens; empty for a monitor, who sees figures of the whole installation.
# `hash`: SHA-256 of the secret, in hex. `revoked_at`: empty while it is good.
tokens = Table(
    "tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("customers", JSON, nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("made_by", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    CheckConstraint("role IN ('engineer', 'ci', 'monitor')", name="role"),
)
