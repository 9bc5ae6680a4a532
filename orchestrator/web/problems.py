"""Refusals over HTTP: RFC 9457 problem documents with the command line's words and exit code.

{"type": "urn:amc:problem:hours-insufficient", "title": …, "status": 402, "detail": words, "mend": …,
 "exit_code": 5}
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from orchestrator.errors import (
    AmcError,
    HoursInsufficient,
    InvalidInput,
    NotCovered,
    UsageError,
    Waiting,
)

MEDIA_TYPE = "application/problem+json"
# Exception -> (status, type, title); the first that fits.
KINDS: list[tuple[type[AmcError], int, str, str]] = [
    (UsageError, 400, "usage", "This can't be asked"),
    (NotCovered, 403, "not-covered", "The contract does not cover it"),
    (HoursInsufficient, 402, "hours-insufficient", "The hours do not suffice"),
    (Waiting, 409, "waiting", "Not now"),
    (InvalidInput, 503, "invalid-input", "The orchestrator's inventories or settings are not valid"),
    (AmcError, 500, "unexpected", "The orchestrator failed"),
]
# Of HTTP itself: status -> (type, title, exit code, mend).
PLAIN = {
    400: ("usage", "This can't be read", 2, "send what docs/by-hand.md shows"),
    401: ("no-token", "No good token", 3, "AMC_TOKEN_FILE names a file with one; amc token add makes one"),
    403: (
        "other-token",
        "This token is not for that",
        3,
        "amc token add makes one for the customer and role",
    ),
    404: ("not-found", "There is nothing here", 2, "docs/by-hand.md has the addresses"),
    405: ("method", "Not this way", 2, "see the header Allow"),
    408: ("too-slow", "The request came too slowly", 2, "send it again"),
    413: ("too-large", "The request is too large", 2, "reports are small: what else is in it?"),
    415: ("media-type", "Not JSON", 2, "send Content-Type: application/json"),
    422: ("not-valid", "The request is not valid", 2, "mend what the detail names"),
}


def document(status: int, kind: str, title: str, detail: str, *, mend: str, exit_code: int) -> dict[str, Any]:
    """The body."""
    return {
        "type": f"urn:amc:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
        "mend": mend,
        "exit_code": exit_code,
    }


def plain(status: int, detail: str = "") -> dict[str, Any]:
    """The body of a refusal of HTTP itself."""
    kind, title, exit_code, mend = PLAIN.get(status, ("http", "Refused", 1, ""))
    return document(status, kind, title, detail or title, mend=mend, exit_code=exit_code)


def of(error: AmcError) -> dict[str, Any]:
    """The body that says what the command line would. What lies where on this machine is not told."""
    status, kind, title = next(
        (status, kind, title) for known, status, kind, title in KINDS if isinstance(error, known)
    )
    detail, mend = error.message, error.mend
    if isinstance(error, InvalidInput):
        detail = "; ".join(f"{each.file.name}:{each.line}: {each.message}" for each in error.problems)
        mend = "; ".join(each.mend for each in error.problems)
    return document(status, kind, title, detail, mend=mend, exit_code=error.exit_code)


def respond(body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer."""
    return JSONResponse(body, body["status"], headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every refusal of the application becomes a problem document."""

    @app.exception_handler(AmcError)
    def _amc(_request: Request, error: AmcError) -> JSONResponse:
        return respond(of(error))

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> JSONResponse:
        body = plain(error.status_code, str(error.detail) if error.status_code in (401, 403) else "")
        return respond(body, dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        faults = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        return respond(plain(422, "; ".join(faults)[:1000]))

    @app.exception_handler(Exception)
    def _fault(_request: Request, _error: Exception) -> JSONResponse:
        words = "a fault of this program; its log says more"
        body = document(500, "unexpected", "The orchestrator failed", words, mend="amc doctor", exit_code=1)
        return respond(body)
