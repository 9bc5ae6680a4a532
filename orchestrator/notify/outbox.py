"""The outbox: a message is noted once with a delivery for each channel that wants it, and each is sent until
its channel has taken it.

1. note      message and deliveries in one transaction; the message's key is unique, whoever finds it again
2. claim     a delivery that is due becomes `sending`, in one UPDATE that only one worker wins
3. end       sent; or due again, later each time; or given up, when the message is of no use any more

A process that is killed between 2 and 3 leaves `sending`: after LOST it is sent once more and says so, since
nobody knows whether the channel took it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from orchestrator.database.engine import reading
from orchestrator.notify.channels import Channels
from orchestrator.notify.events import Event, Message
from orchestrator.notify.tables import deliveries, messages

LOST = timedelta(minutes=10)
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60))
PERHAPS = "Perhaps you have this already: the worker that sent it was interrupted."


@dataclass(frozen=True)
class Delivery:
    """A message on its way to a channel. `is_doubtful`: it was on its way before, and may have arrived."""

    message: Message
    channel: str
    attempts: int
    is_doubtful: bool = False


def note(engine: Engine, found: list[Message], channels: Channels, now: datetime) -> int:
    """Note the messages that are new, each for the channels that want it; how many were."""
    with reading(engine) as connection:
        keys = [message.key for message in found]
        known = set(connection.execute(select(messages.c.key).where(messages.c.key.in_(keys))).scalars())
    return sum(_note(engine, message, channels, now) for message in found if message.key not in known)


def due(connection: Connection, now: datetime) -> list[Delivery]:
    """What can be sent at `now`, the oldest message first."""
    waits = and_(deliveries.c.state == "due", deliveries.c.next_at <= now)
    lost = and_(deliveries.c.state == "sending", deliveries.c.claimed_at < now - LOST)
    query = (
        select(messages, deliveries.c.channel, deliveries.c.attempts, deliveries.c.state)
        .join(deliveries, deliveries.c.message == messages.c.key)
        .where(or_(waits, lost))
        .order_by(messages.c.made_at, messages.c.key, deliveries.c.channel)
    )
    found = []
    for row in connection.execute(query):
        message = Message(row.key, Event(row.event), row.customer, row.run, row.subject, row.body, row.until)
        found.append(Delivery(message, row.channel, row.attempts, row.state == "sending"))
    return found


def listing(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Deliveries, the newest message first: key, event, customer, run, subject, channel, state, attempts,
    words, made_at, ended_at.
    """
    shown = (messages.c.key, messages.c.event, messages.c.customer, messages.c.run, messages.c.subject)
    fate = (deliveries.c.channel, deliveries.c.state, deliveries.c.attempts, deliveries.c.words)
    query = (
        select(*shown, *fate, messages.c.made_at, deliveries.c.ended_at)
        .join(deliveries, deliveries.c.message == messages.c.key)
        .order_by(messages.c.made_at.desc(), messages.c.key, deliveries.c.channel)
        .limit(limit)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def claim(engine: Engine, delivery: Delivery, now: datetime) -> bool:
    """Whether it is ours to send: no other worker has it, and nothing happened to it since it was read."""
    state = "sending" if delivery.is_doubtful else "due"
    # Under PostgreSQL the loser's UPDATE finds another number of attempts.
    return _move(engine, delivery, state, "sending", attempts=delivery.attempts + 1, claimed_at=now)


def end(engine: Engine, delivery: Delivery, failure: str, now: datetime) -> str:
    """Note how a claimed delivery ended (`failure`: "" when its channel took it); its new state."""
    claimed = Delivery(delivery.message, delivery.channel, delivery.attempts + 1)
    pause = PAUSES[min(delivery.attempts, len(PAUSES) - 1)]
    if not failure:
        state, facts = "sent", {"ended_at": now}
    elif now + pause >= delivery.message.until:
        state, facts = "given-up", {"ended_at": now}
    else:
        state, facts = "due", {"next_at": now + pause}
    _move(engine, claimed, "sending", state, words=failure, **facts)
    return state


def give_up(engine: Engine, delivery: Delivery, why: str, now: datetime) -> None:
    """It is not sent any more."""
    state = "sending" if delivery.is_doubtful else "due"
    _move(engine, delivery, state, "given-up", words=why, ended_at=now)


def _note(engine: Engine, message: Message, channels: Channels, now: datetime) -> bool:
    row = {
        "key": message.key,
        "event": message.event.value,
        "customer": message.customer,
        "run": message.run,
        "subject": message.subject,
        "body": message.body,
        "made_at": now,
        "until": message.until,
    }
    wanted = [each for each in channels.channels if each.wants(message.event, message.customer)]
    first = {"message": message.key, "state": "due", "attempts": 0, "next_at": now, "words": ""}
    try:
        with engine.begin() as connection:
            connection.execute(insert(messages).values(row))
            for channel in wanted:
                connection.execute(insert(deliveries).values(first | {"channel": channel.name}))
    except IntegrityError:  # another worker has just noted it
        return False
    return True


def _move(engine: Engine, delivery: Delivery, before: str, after: str, **facts: object) -> bool:
    is_it = and_(
        deliveries.c.message == delivery.message.key,
        deliveries.c.channel == delivery.channel,
        deliveries.c.state == before,
        deliveries.c.attempts == delivery.attempts,
    )
    with engine.begin() as connection:
        changed = connection.execute(update(deliveries).where(is_it).values(state=after, **facts))
    return changed.rowcount == 1
