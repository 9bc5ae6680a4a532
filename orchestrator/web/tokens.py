"""Tokens: what lets somebody ask over HTTP, for some customers and in one role.

A token is `amc_` and 256 random bits. Only its SHA-256 is kept: nobody can guess so many bits, so a slow hash
would add nothing, and who reads the database learns no token.

    engineer    orders work by hand, keeps it alive and settles it; the balance
    ci          the balance
    monitor     the figures of the whole installation
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from orchestrator.database.engine import reading
from orchestrator.errors import UsageError
from orchestrator.web.tables import tokens

PREFIX = "amc_"
MOST_DAYS = 366


class Role(StrEnum):
    """What a token is for."""

    ENGINEER = "engineer"
    CI = "ci"
    MONITOR = "monitor"


@dataclass(frozen=True)
class Token:
    """A row of the table without the hash; times are aware UTC."""

    name: str
    role: Role
    customers: tuple[str, ...]
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Neither revoked nor over."""
        return self.revoked_at is None and now < self.expires_at


def add(
    engine: Engine, *, name: str, role: Role, customers: Sequence[str], days: int, by: str, now: datetime
) -> str:
    """A new token; it can be read this once. UsageError: the name is taken or odd, or a customer is wrong."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UsageError(f"the name {name!r} can't be used", "letters, digits and . _ - , at most 64")
    if (role is Role.MONITOR) == bool(customers):
        words = "a monitor's token is for no customer" if customers else f"{role} of which customer?"
        raise UsageError(words, "leave --customer out" if customers else "add --customer; it may be repeated")
    if not 1 <= days <= MOST_DAYS:
        raise UsageError(f"{days} days are not possible", f"1 to {MOST_DAYS}, then it is made anew")
    secret = PREFIX + secrets.token_urlsafe(32)
    row = Token(name, role, tuple(customers), by, now, now + timedelta(days=days))
    with engine.begin() as connection:
        if _named(connection, name):
            raise UsageError(f"there is a token {name}", "take another name; a revoked one keeps its own")
        values = {each.name: getattr(row, each.name) for each in fields(Token)}
        connection.execute(
            insert(tokens).values(values | {"customers": list(customers), "hash": _hash(secret)})
        )
    return secret


def revoke(engine: Engine, name: str, now: datetime) -> Token:
    """It opens nothing from now on. UsageError when there is none of that name."""
    with engine.begin() as connection:
        if _named(connection, name) is None:
            raise UsageError(f"there is no token {name}", "amc token list shows them")
        change = update(tokens).where(tokens.c.name == name, tokens.c.revoked_at.is_(None))
        connection.execute(change.values(revoked_at=now))
        found = _named(connection, name)
    assert found
    return found


def listing(engine: Engine) -> list[Token]:
    """All of them, by name."""
    with reading(engine) as connection:
        return [_token(row) for row in connection.execute(select(tokens).order_by(tokens.c.name))]


def find(engine: Engine, secret: str, now: datetime) -> Token | None:
    """The good token of this secret."""
    with reading(engine) as connection:
        row = connection.execute(select(tokens).where(tokens.c.hash == _hash(secret))).one_or_none()
    found = _token(row) if row else None
    return found if found and found.is_good(now) else None


def _named(connection: Connection, name: str) -> Token | None:
    row = connection.execute(select(tokens).where(tokens.c.name == name)).one_or_none()
    return _token(row) if row else None


def _token(row: Row[Any]) -> Token:
    values = row._asdict()
    del values["hash"]
    given = {"role": Role(values["role"]), "customers": tuple(values["customers"])}
    return Token(**values | given)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
