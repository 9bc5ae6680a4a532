"""What no request may do: be large, or come drop by drop."""

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.web import problems

MOST_BYTES = 256 * 1024  # reports of a run on several servers; a report has some KiB
MOST_SECONDS = 15.0


class Limits:
    """Reads a request's body whole, within the limits, before the application sees anything of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with 413, 408 or 415, or hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(MOST_SECONDS):
                body = await _body(scope, receive)
        except TimeoutError:
            await _refuse(send, 408)
            return
        if body is None:
            await _refuse(send, 413)
            return
        if body and not _is_json(scope):
            await _refuse(send, 415)
            return
        await self._app(scope, _once(body, receive), send)


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """None when it is too large; not all of it is read then."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        return None
    found = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return found
        found += bytes(message.get("body", b""))
        if len(found) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return found


def _is_json(scope: Scope) -> bool:
    kind = dict(scope["headers"]).get(b"content-type", b"").split(b";")[0].strip().lower()
    return bool(kind == b"application/json")


def _once(body: bytes, receive: Receive) -> Receive:
    first = True

    async def replay() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


async def _refuse(send: Send, status: int) -> None:
    body: dict[str, Any] = problems.plain(status)
    headers = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
