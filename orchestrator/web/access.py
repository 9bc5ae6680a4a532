"""Who asks: the bearer token of a request, and what it may."""

import re
from collections.abc import Callable
from datetime import datetime

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Engine
from starlette.exceptions import HTTPException

from orchestrator.web import tokens
from orchestrator.web.tokens import Role, Token

# Without a shape of its own every stray word would be asked of the database.
SHAPE = re.compile(rf"{tokens.PREFIX}[A-Za-z0-9_-]{{43}}")
_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="a token of `amc token add`")


def need(
    engine: Engine, clock: Callable[[], datetime], *roles: Role
) -> Callable[[HTTPAuthorizationCredentials | None], Token]:
    """A dependency: the good token of one of these roles, else 401 or 403."""

    def check(given: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Token:  # noqa: B008
        secret = given.credentials if given else ""
        found = tokens.find(engine, secret, clock()) if SHAPE.fullmatch(secret) else None
        if found is None:
            raise HTTPException(
                401, "there is no such token, or it is revoked or over", {"WWW-Authenticate": "Bearer"}
            )
        if found.role not in roles:
            raise HTTPException(403, f"a token of role {found.role} is not for that")
        return found

    return check


def require_customer(token: Token, customer: str) -> None:
    """403 for another customer, whether there is one of that name or not."""
    if customer not in token.customers:
        raise HTTPException(403, f"this token is not for {customer}")
