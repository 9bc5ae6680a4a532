"""`amc notify`: what was told to whom, and whether the channels work."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator import settings
from orchestrator.errors import InvalidInput, Problem, Unreachable, UsageError

app = typer.Typer(help="Notifications: who is told of what.", no_args_is_help=True)


@app.command()
def test(
    channel: Annotated[str | None, typer.Option(help="only this one; default: every channel")] = None,
) -> None:
    """Send a test message now; exit 3 when a channel does not take it."""
    from orchestrator.notify import channels, courier

    file = settings.read().notify_file
    if file is None:
        words = "is not set: nobody is told of anything"
        raise InvalidInput(
            [Problem(Path("AMC_NOTIFY_FILE"), 0, words, "docs/notifications.md has an example")]
        )
    known = channels.read(file)
    if channel and known.named(channel) is None:
        names = ", ".join(each.name for each in known.channels) or "none"
        raise UsageError(f"there is no channel {channel!r}", f"channels: {names}")
    failed = False
    for each in known.channels:
        if channel in (None, each.name):
            failure = courier.try_out(each, datetime.now(UTC))
            failed = failed or bool(failure)
            print(f"{each.name}: {failure or 'taken'}")
    if failed:
        raise Unreachable("not every channel took the message", "look at its address in AMC_NOTIFY_FILE")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document")] = False,
) -> None:
    """Show what was told, the newest first, and what is still to be."""
    from orchestrator.database.engine import connect, reading
    from orchestrator.notify import outbox

    with reading(connect(settings.read().database_url)) as connection:
        rows = outbox.listing(connection, limit)
    if as_json:
        print(json.dumps(rows, indent=2, default=_text))
        return
    for row in rows:
        after = f": {row['words']}" if row["words"] else ""
        print(
            f"{row['made_at']:%Y-%m-%d %H:%M}  {row['state']:9} {row['channel']:16} {row['subject']}{after}"
        )
    if not rows:
        print("nothing was told yet")


def _text(value: Any) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
