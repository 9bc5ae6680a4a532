"""The outbox: what is to be told, to whom, and how far that has come; and when which worker last lived."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from orchestrator.database.metadata import Instant, metadata

# `key` makes it told once; `until`: not told any more after that.
messages = Table(
    "notify_messages",
    metadata,
    Column("key", String(250), primary_key=True),
    Column("event", String(20), nullable=False),
    Column("customer", String(32), nullable=False),
    Column("run", String(200)),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)

# due -> sending -> sent, or back to due with a later `next_at`; given-up at the end. A process that was
# killed while it sent leaves `sending`: nobody knows whether it arrived; `claimed_at` says since when.
deliveries = Table(
    "notify_deliveries",
    metadata,
    Column("message", String(250), ForeignKey("notify_messages.key"), primary_key=True),
    Column("channel", String(40), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("claimed_at", Instant),
    Column("ended_at", Instant),
    Column("words", Text, nullable=False),
    CheckConstraint("state IN ('due', 'sending', 'sent', 'given-up')", name="state"),
    Index("ix_notify_deliveries_state", "state"),
)

# One row a worker's process; `first_at` is the first beat that any worker of this installation ever had.
beats = Table(
    "notify_beats",
    metadata,
    Column("worker", String(200), primary_key=True),
    Column("first_at", Instant, nullable=False),
    Column("beat_at", Instant, nullable=False),
)
