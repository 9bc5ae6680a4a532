"""The ledger's tables. Postings and entries are append-only: triggers of migration 0001 refuse the rest.

`ledger_lots.available` is the one number that moves, always in the transaction that inserts the entries which
say why; `verify` compares the two.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from orchestrator.database.metadata import Instant, metadata

# One row a contract: how many postings there are and the last one's hash. Its UPDATE is the contract's lock.
chains = Table(
    "ledger_chains",
    metadata,
    Column("contract", String, primary_key=True),
    Column("postings", Integer, nullable=False),
    Column("head", String, nullable=False),
)

# Hours that were granted or bought together. `year` is a retainer lot's calendar year; `valid_until` is
# exclusive, and empty where the hours do not expire.
lots = Table(
    "ledger_lots",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("contract", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("year", Integer),
    Column("valid_from", Instant, nullable=False),
    Column("valid_until", Instant),
    Column("acquired_at", Instant, nullable=False),
    Column("available", BigInteger, nullable=False),
    CheckConstraint("kind IN ('retainer', 'prepaid')", name="kind"),
    CheckConstraint("available >= 0", name="available"),
    UniqueConstraint("contract", "year"),
)

# One posting a fact. `key` makes it happen at most once, `request` is the hash of what was asked for with it;
# `hold_id` is the hold that a settlement or a voiding closes.
postings = Table(
    "ledger_postings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("contract", String, ForeignKey("ledger_chains.contract"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False, unique=True),
    Column("request", String, nullable=False),
    Column("contract_version", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("planned_at", Instant),
    Column("hold_id", Integer, ForeignKey("ledger_postings.id"), unique=True),
    Column("raw", BigInteger),
    Column("rounded", BigInteger),
    Column("seconds", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
    CheckConstraint("kind IN ('grant', 'buy', 'hold', 'settle', 'void')", name="kind"),
    UniqueConstraint("contract", "sequence"),
)

# A posting's entries add up to zero. `year` is the calendar year in which the seconds count.
entries = Table(
    "ledger_entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("posting_id", Integer, ForeignKey("ledger_postings.id"), nullable=False, index=True),
    Column("account", String, nullable=False),
    Column("lot_id", Integer, ForeignKey("ledger_lots.id")),
    Column("year", Integer, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    CheckConstraint("seconds <> 0", name="seconds"),
)
