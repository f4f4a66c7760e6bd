"""The broker as its users see it, with a clock that is moved by hand."""

from __future__ import annotations

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.session import SessionConsumer


def message(message_id="m", size=1, **options):
    """A message as a client sends it."""
    return Envelope(OutgoingMessage(b"x" * size, message_id=message_id, **options).encode())


class Receiver(SessionConsumer):
    """A receiver of an entity, or of one of its sessions; it takes what `take` asks for, and keeps it in `got`."""

    def __init__(self, entity, *, peek_lock=True, name="link"):
        super().__init__("container", name, peek_lock=peek_lock)
        self.entity, self.credit, self.got = entity, 0, []
        self.session = self.until = self.refused = self.lost = None
        if entity.sessions is None:
            entity.add_consumer(self)

    @property
    def ready(self):
        return self.credit > 0

    def deliver(self, message):
        self.credit -= 1
        self.got.append(message)

    def session_accepted(self, session_id, locked_until):
        self.session, self.until = session_id, locked_until

    def session_refused(self, error):
        self.refused = error

    def session_lock_lost(self, error):
        self.lost = error

    def ask(self, credit=1):
        """Ask for messages, and go on asking; return those that came at once."""
        before = len(self.got)
        self.credit = credit
        self.entity.wake(self)
        return self.got[before:]

    def take(self, most=1):
        """Take messages that are there, and ask for no more."""
        found = self.ask(most)
        self.credit = 0
        return found

    def one(self):
        """Take the one message that has to be there."""
        (message,) = self.take()
        return message

    def ids(self, most=99):
        """Take messages that are there; return their ids."""
        return [message.content.message_id for message in self.take(most)]

    def close(self):
        self.entity.remove_consumer(self)


class BrokerKit:
    """A namespace with one queue `q` of these settings, or with the queues and topics that are given."""

    def __init__(self, queues=None, topics=None, *, clock=None, **settings):
        self.clock = clock or ManualClock()
        if queues is None and topics is None:
            queues = {"q": Queue(**settings)}
        self.namespace = Namespace("ns", queues or {}, self.clock, topics=topics)
        self.connection = object()

    def __getitem__(self, path):
        return self.namespace.entity(path)

    def send(self, path, *messages):
        """Send messages, or empty ones of these ids."""
        self[path].send([message(each) if isinstance(each, str) else each for each in messages])

    def receiver(self, path="q", **options):
        return Receiver(self[path], **options)

    def accept(self, path, session=None, *, name="link", patience=None, **options):
        """Wait for a session, or for the next one that is available."""
        holder = Receiver(self[path], name=name, **options)
        self[path].sessions.accept(holder, session, patience)
        return holder

    def declare(self):
        """Begin a transaction."""
        return self.namespace.transactions.declare(self.connection, self)

    def discharge(self, transaction, *, fail=False):
        self.namespace.transactions.discharge(transaction.id, self.connection, fail=fail)

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.namespace.run_due()

    def now(self):
        return self.clock.now()

    def parts(self):
        """Every entity, dead-letter queues included."""
        return [part for entity in self.namespace.entities() for part in entity.parts()]

    def held(self, path="q"):
        """The ids of all messages that an entity holds."""
        return [m.content.message_id for m in self[path].peek(0, 10_000)]

    def entries(self, event=None, entity=None):
        found = self.namespace.ledger.entries()
        return [e for e in found if event in (None, e.event) and entity in (None, e.entity)]

    def story(self, entity="q"):
        """What happened to the messages of an entity."""
        return [(e.event.value, e.message_id) for e in self.entries(entity=entity)]
