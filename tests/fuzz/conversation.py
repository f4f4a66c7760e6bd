"""What clients say: each a function that does all it can with one client, and ends when the broker has had enough."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from peeklock.servicebus import Client, OutgoingMessage, Queue, Rule, Subscription, Topic, Topology
from peeklock.servicebus.amqp import Sender, frames
from peeklock.servicebus.amqp.encode import described, encode
from peeklock.servicebus.amqp.transactions import coordinator, declare, discharge, posting
from peeklock.servicebus.client.channel import Channel

TOPOLOGY = Topology(
    queues={
        "q": Queue(max_delivery_count=2, duplicate_detection_window=600, default_time_to_live=50),
        "p": Queue(partitioned=True),
        "s": Queue(requires_session=True),
        "f": Queue(forward_to="t"),
    },
    topics={
        "t": Topic(
            subscriptions={
                "all": Subscription(),
                "some": Subscription(rules={"r": Rule(sql="k > 3 AND sys.Label LIKE 'a%'", action="SET k = k + 1")}),
            }
        )
    },
)


def _messages(rng: random.Random, count: int = 3, session: str | None = None) -> list[OutgoingMessage]:
    return [
        OutgoingMessage(
            bytes(rng.randrange(256) for _ in range(rng.choice((0, 3, 300)))),
            message_id=f"m{rng.randrange(1_000)}",
            session_id=session,
            subject="abc",
            time_to_live=rng.choice((None, 5.0)),
            application_properties={"k": rng.randrange(9), "text": "é", "none": None},
        )
        for _ in range(count)
    ]


def settlements(client: Client, rng: random.Random) -> None:
    """Send, also as a batch; receive, and settle in every way; receive what was deferred and dead-lettered."""
    queue = rng.choice(("q", "p"))
    client.send(queue, _messages(rng, 8))
    client.send(queue, _messages(rng), batch=True)
    waiting = client.receive(queue, max_messages=6, wait=0.0)
    for message, settle in zip(
        waiting, (client.complete, client.abandon, client.defer, client.dead_letter, client.release), strict=False
    ):
        settle(message)
    client.renew(waiting[-1])
    client.receive_deferred(queue, [waiting[2].sequence_number])
    client.receive(queue + "/$deadletterqueue", wait=0.0)
    client.peek(queue)


def schedules(client: Client, rng: random.Random) -> None:
    """Schedule, cancel, peek."""
    at = datetime.now(UTC) + timedelta(hours=1)
    number = client.schedule("q", _messages(rng, 1)[0], at)
    client.peek("q")
    client.cancel("q", number)


def sessions(client: Client, rng: random.Random) -> None:
    """Accept a session, its messages, its state."""
    client.send("s", _messages(rng, 3, "a"))
    with client.accept_session("s", rng.choice(("a", None))) as session:
        for message in session.receive(wait=0.0):
            client.complete(message)
        session.set_state(b"state")
        session.get_state()
        session.renew()


def topics(client: Client, rng: random.Random) -> None:
    """Publish, through a forward too; receive and delete."""
    client.send("t", _messages(rng))
    client.send("f", _messages(rng))
    client.receive("t/Subscriptions/all", max_messages=9, wait=0.0, mode="receive_and_delete")
    client.receive("t/Subscriptions/some", wait=0.0)


def transactions(client: Client, rng: random.Random) -> None:
    """Send and settle in a transaction, and end it."""
    client.send("q", _messages(rng))
    channel = client._ready("q")
    link = channel.session.attach(Sender, "tx", source=frames.source("c"), target=coordinator())
    channel.wait(lambda: link.credit > 0 or channel.check(link), "credit")
    number = link.send(declare(), context=link)
    channel.wait(lambda: number in channel.outcomes, "a transaction")
    (transaction,) = channel.outcomes.pop(number)[1]
    sender = channel.attach_sender("q")
    sender.send(_messages(rng, 1)[0].encode(), context=sender, state=posting(transaction))
    (message,) = client.receive("q", max_messages=1, wait=0.0)
    client.complete(message)
    link.send(discharge(transaction, fail=rng.random() < 0.5), context=link)
    channel.flush()


def rules(client: Client, rng: random.Random) -> None:
    """The rules of a subscription, over `$management`."""
    name, path = f"r{rng.randrange(9_999)}", "t/Subscriptions/all"
    kinds = ({"sql-filter": {"expression": "a = 1"}}, {"correlation-filter": {"label": "x", "properties": {"k": 1}}})
    client._manage(path, "add-rule", {"rule-name": name, "rule-description": rng.choice(kinds)})
    client._manage(path, "enumerate-rules", {"top": 10, "skip": 0})
    client._manage(path, "remove-rule", {"rule-name": name})


def links(client: Client, rng: random.Random) -> None:
    """Credit, drain, long messages in many frames, detach, end."""
    channel: Channel = client._ready("q")
    sender = channel.attach_sender("q")
    channel.send(sender, [_messages(rng, 1)[0].encode() + b"\x00\x53\x75" + encode(b"x" * 90_000)])
    receiver = channel.attach_receiver("q", settled=False)
    receiver.grant(2, echo=True)
    receiver.grant(5, drain=True)
    channel.flush()
    channel.session.channel.write(described(frames.DISPOSITION, True, 0, 9, False, None, None))
    receiver.detach()
    channel.session.end()
    channel.flush()


CONVERSATIONS: tuple[Callable[[Client, random.Random], None], ...] = (
    settlements, schedules, sessions, topics, transactions, rules, links,
)  # fmt: skip
