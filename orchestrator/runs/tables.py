"""The runs' table: one row an order, refused ones too. Changed by runs/store.py only."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
    text,
)

from orchestrator.database.metadata import Instant, metadata

NOT_REFUSED = text("state <> 'refused'")

# `contract` is the whole contract as it stood when the order came: what settles the run. `held` to `overage`
# are seconds, as in the ledger's postings of the key `run:<id>`; empty until they are known. `decision`
# {by, why, at} is who approved or rejected the plan; empty where nobody had to. `planned_at`: not before;
# empty: at once. `urgent`: why it may run outside the windows. `stop` {by, why, at}: somebody wants its end.
# `hand` {by, host}: who runs the playbook himself, and `beats` [[first, last], ...] are its heartbeats; both
# empty for a run of the queue.
runs = Table(
    "runs",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("key", String(128), nullable=False),
    Column("request", String(64), nullable=False),
    Column("customer", String(32), nullable=False),
    Column("activity", String(32), nullable=False),
    Column("servers", JSON, nullable=False),
    Column("cause", Text, nullable=False),
    Column("check_mode", Boolean, nullable=False),
    Column("clause", String(10), nullable=False),
    Column("contract", JSON, nullable=False),
    Column("repository", Text, nullable=False),
    Column("inventory", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("words", Text, nullable=False),
    Column("exit_code", Integer),
    Column("ordered_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("held", BigInteger),
    Column("raw", BigInteger),
    Column("rounded", BigInteger),
    Column("charged", BigInteger),
    Column("overage", BigInteger),
    Column("manifest", String(64)),
    Column("options", JSON, nullable=False, server_default=text("'{}'")),
    Column("decision", JSON(none_as_null=True)),
    Column("planned_at", Instant),
    Column("needs_approval", Boolean, nullable=False, server_default=false()),
    Column("urgent", Text),
    Column("stop", JSON(none_as_null=True)),
    Column("hand", JSON(none_as_null=True)),
    Column("beats", JSON(none_as_null=True)),
    CheckConstraint(
        "state IN ('waiting', 'queued', 'running', 'done', 'rolled-back', 'failed', 'unknown', 'rejected',"
        " 'cancelled', 'refused')",
        name="state",
    ),
    # A refused order may come again under its key, once hours were bought; any other is ordered once.
    Index("ix_runs_key", "key", unique=True, sqlite_where=NOT_REFUSED, postgresql_where=NOT_REFUSED),
    Index("ix_runs_customer_ordered_at", "customer", "ordered_at"),
    Index("ix_runs_state", "state"),
)
