"""A connection that speaks of transactions frame by frame: no SDK for Python does."""

from __future__ import annotations

import uuid

from peeklock.servicebus import OutgoingMessage
from peeklock.servicebus.amqp import Sender, frames
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.transactions import coordinator, declare, discharge, outcome_of, posting, transactional
from peeklock.servicebus.amqp.types import UInt
from peeklock.servicebus.auth import make_token
from peeklock.servicebus.client.channel import Channel, raise_refusal

CODES = ("statusCode", "statusDescription")


class Wire:
    """A connection with a coordinator link, on a session of its own unless the links shall share it."""

    def __init__(self, bus, *, own_session=True, rule="RootManageSharedAccessKey", key="SAS_KEY_VALUE", scope=""):
        self.bus = bus
        self.channel = channel = Channel("127.0.0.1", bus.port, tls=False, timeout=5)
        data = channel.session
        if own_session:
            channel.session = channel.amqp.begin()
        name = f"tx-{uuid.uuid4().hex}"
        self.link = channel.session.attach(Sender, name, source=frames.source("c"), target=coordinator())
        channel.wait(lambda: self.link.credit > 0 or channel.check(self.link), "credit of the coordinator")
        channel.session = data
        self.put_token(f"sb://h/{scope}", rule, key)

    def put_token(self, uri, rule="RootManageSharedAccessKey", key="SAS_KEY_VALUE"):
        token = make_token(uri, rule, key, int(self.bus.clock.now() + 36_000))
        fields = {"operation": "put-token", "type": "jwt", "name": uri}
        self.channel.request("$cbs", fields, encode(token), codes=("status-code", "status-description"))

    def ask(self, payload, link=None, state=None):
        """Send a message; return code and fields of its outcome."""
        link = link or self.link
        number = link.send(payload, context=link, state=state)
        self.channel.wait(lambda: self.channel.check(link) or number in self.channel.outcomes, "the outcome")
        return self.channel.outcomes.pop(number)

    def declare(self):
        code, fields = self.ask(declare())
        assert code == frames.DECLARED
        return fields[0]

    def discharge(self, id_, *, fail=False):
        raise_refusal(self.ask(discharge(id_, fail=fail)))

    def send(self, link, message_id, id_=None, **options):
        """Send a message, in a transaction; the answer has to name the same one."""
        payload = OutgoingMessage(b"x", message_id=message_id, **options).encode()
        code, fields = self.ask(payload, link, None if id_ is None else posting(id_))
        if id_ is not None and code == frames.TRANSACTIONAL:
            told, code, fields = outcome_of(fields)
            assert told == id_
        raise_refusal((code, fields))

    def receive(self, link):
        link.grant(1)
        box = self.channel.inbox.setdefault(link.id, [])
        self.channel.wait(lambda: box or self.channel.check(link), "a message")
        return box.pop(0)

    def settle(self, delivery, id_, outcome=frames.ACCEPTED):
        """Settle a delivery in a transaction; raise a refusal, return the outcome's code."""
        channel = self.channel
        channel.settled.pop(delivery.id, None)
        channel.session.settle(delivery.id, transactional(id_, outcome), settled=False)
        channel.wait(lambda: delivery.id in channel.settled, "the outcome")
        code, fields = channel.settled.pop(delivery.id)
        if code == frames.TRANSACTIONAL:
            told, code, fields = outcome_of(fields)
            assert told == id_
        if code == frames.REJECTED_CODE and fields and fields[0] is not None:
            raise_refusal((code, fields))
        return code

    def manage(self, entity, operation, arguments, id_):
        """Make a request of `$management` whose transfer belongs to a transaction."""
        channel = self.channel

        def send(link, payloads):
            code, fields = self.ask(payloads[0], link, posting(id_))
            assert code == frames.TRANSACTIONAL
            told, code, fields = outcome_of(fields)
            assert told == id_
            raise_refusal((code, fields))

        manager(self)
        channel.send = send
        try:
            fields = {"operation": f"com.microsoft:{operation}", "com.microsoft:server-timeout": UInt(5_000)}
            return channel.request(f"{entity}/$management", fields, encode(arguments), codes=CODES)[1]
        finally:
            del channel.send

    def close(self):
        self.channel.close()


def manager(wire):
    """Return the link to the management node of `q`, opened if need be."""
    return (wire.channel._pairs.get("q/$management") or wire.channel._open_pair("q/$management"))[0]
