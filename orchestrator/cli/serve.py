"""`amc serve`: the HTTP side, for work by hand from other machines."""

import ipaddress
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import settings as settings_
from orchestrator.errors import UsageError


def serve(
    *,
    address: Annotated[
        str, typer.Option(help="where to listen; beyond this machine only with TLS")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8420,
    certificate: Annotated[
        Path | None,
        typer.Option("--tls-certificate", help="PEM, with its chain", exists=True, dir_okay=False),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--tls-key", help="PEM, without a passphrase", exists=True, dir_okay=False)
    ] = None,
) -> None:
    """Answer over HTTP: orders of work by hand, heartbeats, settlements, balance, health, figures.

    Who may ask has a token: `amc token add`. Ends at SIGTERM or Ctrl-C.
    """
    if (certificate is None) != (key is None):
        raise UsageError("a certificate and its key go together", "give --tls-certificate and --tls-key")
    if certificate is None and not _is_loopback(address):
        raise UsageError(
            f"tokens would cross the network in the clear: {address} is not this machine",
            "give --tls-certificate and --tls-key, or listen on 127.0.0.1 behind a proxy with TLS",
        )
    import uvicorn

    from orchestrator.database.engine import connect
    from orchestrator.web import app, serving

    settings = settings_.read()
    uvicorn.run(
        app.create(settings, connect(settings.database_url)),
        host=address,
        port=port,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        **serving.OPTIONS,
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
