"""A client's receiver: the link by which messages go out of an entity."""

from __future__ import annotations

from typing import Any

from peeklock.servicebus.amqp import Sender
from peeklock.servicebus.amqp.serial import distance
from peeklock.servicebus.broker import Consumer, Message, Queue

from .client_connection import ClientConnection
from .message_encoding import encode_message
from .output_buffer import UNSENT_LIMIT
from .ports import LinkHandler


class OutgoingLink(Consumer, LinkHandler):
    """A client's receiver on one queue."""

    role = "receiver"
    link: Sender
    queue: Queue

    def __init__(
        self, connection: ClientConnection, link: Sender, queue: Queue, *, client_id: str | None, principal: str
    ) -> None:
        Consumer.__init__(
            self,
            connection.amqp.remote_container_id,
            link.name,
            peek_lock=link.snd_settle_mode != 1,
            client_id=client_id,
            principal=principal,
        )
        LinkHandler.__init__(self, link, queue)
        self.principal = principal
        self.connection = connection
        self._output = connection.output
        self._asked_from = 0
        """The first delivery-id that may be of one for which the client has asked last."""

    def lapsed(self) -> str | None:
        """Return the entity from which the client may not receive any more (S-24)."""
        return None if self.connection.claims.allows(self.queue.name, "Listen") else self.queue.name

    def facts(self) -> dict[str, Any]:
        """Tell of it, on which connection it is, until when it may receive by the tokens that were shown (None: for ever), and
        how many of the messages for which it asked last it has not answered."""
        until = self.connection.claims.authorized_until(self.queue.name, "Listen")
        lasting = None if until == float("inf") else until
        in_hand = sum(distance(self._asked_from, number) >= 0 for number in self.link.unsettled)
        connection = {"connection": self.connection.number, "authorized_until": lasting}
        return {**super().facts(), **connection, "in_hand": in_hand}

    @property
    def waits(self) -> bool:
        return self.link.credit > 0 or not self.link.attach_sent

    @property
    def ready(self) -> bool:
        """True while there is credit, window, and room in the connection's output."""
        link = self.link
        if link.credit <= 0 or link.channel.remote_window <= 0 or link.detach_sent:
            return False
        output = self._output
        if not output.is_open:
            return False  # what is handed over now would be locked for nobody
        if output.paused or output.unsent > UNSENT_LIMIT:
            output.stalled = True
            return False
        return True

    @property
    def held_up(self) -> bool:
        """True while messages have to wait for the session's window or the connection's output: a drain waits, too."""
        return self._output.stalled or self.link.channel.remote_window <= 0

    def deliver(self, message: Message) -> None:
        """Write the message to the connection; it goes out at the end of this turn."""
        if self.peek_lock:
            raw = encode_message(message, locked=True)
            self.link.send(raw, tag=message.token, context=(self.queue, message.token))
        else:
            raw = encode_message(message, locked=False)
            self.link.send(raw, tag=b"", settled=True)
        self._output.unsent += len(raw)
        connection = self.connection
        if not connection.dirty:
            connection.touch()
        if self.peek_lock and self.queue.faults is not None:
            self.queue.faults.delivered(message)

    def on_credit(self) -> None:
        """The client asked for more, or to have its credit used up."""
        self.used = True
        if self.link.credit > 0:
            self.queue.dispatch.note_asking(self.principal)
        self._asked_from = self.link.channel.next_delivery_id
        self.queue.dispatch.wake(self)
        link = self.link
        if link.drain and not (link.credit > 0 and self.held_up):
            link.drained()

    @property
    def client(self) -> str:
        """The name that the client gave itself."""
        return self.client_id or self.container_id

    def close(self) -> None:
        """Leave the queue; locks stay until they expire (S-46)."""
        if self.link.unsettled:
            self.connection.context.tracker.cut_off(self.principal, self.client)
        self.queue.dispatch.remove(self)
