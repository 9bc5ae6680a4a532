"""Brings what the outbox holds to its channels, by Apprise: one that fails keeps nobody else waiting long."""

import logging
import time
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Engine

from orchestrator.database.engine import reading
from orchestrator.notify import outbox
from orchestrator.notify.channels import Channel, Channels
from orchestrator.notify.events import Event, Message

ROUND_SECONDS = 60.0
"""No delivery is begun after so long: the next round goes on."""
HOST_IS_A_HOST = ("json", "xml", "form", "mailto")
_KINDS = {
    Event.APPROVAL: "warning",
    Event.MAINTENANCE: "info",
    Event.HOURS: "warning",
    Event.REFUSED: "warning",
}


def deliver(engine: Engine, channels: Channels, now: datetime) -> list[str]:
    """Send what is due; what failed, in words without an address.

    A channel that fails is left alone for the rest of this round.
    """
    with reading(engine) as connection:
        waiting = outbox.due(connection, now)
    failed: dict[str, str] = {}
    ends = time.monotonic() + ROUND_SECONDS
    for delivery in waiting:
        channel = channels.named(delivery.channel)
        if channel is None:
            outbox.give_up(engine, delivery, "there is no such channel any more", now)
        elif now >= delivery.message.until:
            outbox.give_up(engine, delivery, "its time had passed", now)
        elif channel.name not in failed and time.monotonic() < ends and outbox.claim(engine, delivery, now):
            failure = send(channel, delivery.message, is_doubtful=delivery.is_doubtful)
            state = outbox.end(engine, delivery, failure, now)
            if failure:
                failed[channel.name] = f"{channel.name}: {failure} ({state})"
    return list(failed.values())


def send(channel: Channel, message: Message, *, is_doubtful: bool = False) -> str:
    """Send one message now; "" when the channel took it, else why not."""
    from apprise import Apprise, LogCapture  # takes half a second

    way = Apprise.instantiate(channel.url)
    if way is None:
        return "Apprise knows no such address"
    body = f"{outbox.PERHAPS}\n{message.body}" if is_doubtful else message.body
    kind = _KINDS.get(message.event, "failure")
    try:
        with LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]  # its own stub
            if way.notify(body=body, title=message.subject, notify_type=kind, body_format="text"):
                return ""
            words = log.getvalue()
    except Exception as error:  # a channel's plugin may raise anything, and no run is to fail by it
        words = f"{type(error).__name__}: {error}"
    return discreet(words, channel.url) or "it did not take the message"


def discreet(words: str, url: str) -> str:
    """One line of Apprise's words, without any part of the address that may be a secret."""
    line = " ".join(words.split())
    for part in sorted(_parts(url), key=len, reverse=True):
        line = line.replace(part, "…")
    return line[:200]


def _parts(url: str) -> set[str]:
    """The words of an address that are long enough to be secrets; with most services its host is one, too."""
    scheme, _, rest = url.partition("://")
    for sign in "/@:?&=,":
        rest = rest.replace(sign, " ")
    parts = {word for word in rest.split() if len(word) >= 6}
    if scheme.rstrip("s") in HOST_IS_A_HOST:
        parts.discard(urlsplit(url).hostname or "")
    return {url, *parts}


def try_out(channel: Channel, now: datetime) -> str:
    """Send a message that says it is a test; "" when the channel took it, else why not."""
    body = "This is a test of the maintenance orchestrator's notifications: nothing is to be done."
    subject = f"amc: a test of the channel {channel.name}"
    return send(channel, Message("test", Event.MAINTENANCE, "", None, subject, body, now))
