"""The broker as its users see it, with a clock that is moved by hand."""

from __future__ import annotations

from functools import cached_property

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.session import SessionConsumer


def message(message_id="m", size=1, *, scheduled_at=None, **options):
    """A message as a client sends it, with a body of `size` bytes."""
    content = Envelope(OutgoingMessage(b"x" * size, message_id=message_id, **options).encode())
    content.scheduled_at = scheduled_at
    return content


def ids(messages):
    """The ids of messages that an entity holds, or has given out."""
    return [each.content.message_id for each in messages]


class Receiver(SessionConsumer):
    """A receiver of an entity, or of one of its sessions: it keeps what it was given in `got`."""

    def __init__(self, entity, *, peek_lock=True, name="link", credit=0):
        super().__init__("container", name, peek_lock=peek_lock)
        self.entity, self.credit, self.got = entity, credit, []
        self.session = self.until = self.refused = self.lost = None
        if entity.sessions is None:
            entity.dispatch.add(self)
            entity.dispatch.wake(self)

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
        self.entity.dispatch.wake(self)
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

    def close(self):
        self.entity.dispatch.remove(self)


class BrokerKit:
    """A namespace with one queue `q` of these settings, or with the queues and topics that are given."""

    def __init__(self, queues=None, topics=None, *, clock=None, **settings):
        self.clock = clock or ManualClock()
        if queues is None and topics is None:
            queues = {"q": Queue(**settings)}
        self.namespace = Namespace("ns", queues or {}, self.clock, topics=topics)
        self.connection = object()
        self.gone = []
        """The names of entities that are no more, dead-letter queues left out."""
        self.namespace.on_gone = lambda parts: self.gone.extend(p.name for p in parts if not p.is_dead_letter)

    def __getitem__(self, path):
        return self.namespace.entity(path)

    @property
    def queue(self):
        return self["q"]

    @property
    def dead(self):
        return self["q/$DeadLetterQueue"]

    @cached_property
    def taker(self):
        """A receiver of `q`."""
        return Receiver(self.queue)

    @cached_property
    def dead_taker(self):
        """A receiver of its dead-letter queue."""
        return Receiver(self.dead)

    def receiver(self, path="q", **options):
        return Receiver(self[path], **options)

    def accept(self, session=None, name="link", patience=None, *, path="q", **options):
        """Let a receiver wait for a session, or for the next one that is available."""
        holder = Receiver(self[path], name=name, **options)
        self[path].sessions.accept(holder, session, patience)
        return holder

    def send(self, path, *messages, **options):
        """Send messages, or small ones of these ids."""
        self[path].send([message(each, **options) if isinstance(each, str) else each for each in messages])

    def lock(self, path):
        """Receive the next message; return its lock token."""
        receiver = self.receiver(path)
        token = receiver.one().token
        receiver.close()
        return token

    def declare(self):
        """Begin a transaction."""
        return self.namespace.transactions.declare(self.connection, self)

    def discharge(self, transaction, *, fail=False, connection=None):
        self.namespace.transactions.discharge(transaction.id, connection or self.connection, fail=fail)

    def now(self):
        return self.clock.now()

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.namespace.run_due()

    def parts(self):
        """Every entity, dead-letter queues included."""
        return [part for entity in self.namespace.entities() for part in entity.parts()]

    def held(self, path="q"):
        """The ids of all messages that an entity holds."""
        return ids(self[path].peek(0, 10_000))

    def buried(self, path="q"):
        """The ids of its dead letters, each with its reason."""
        dead = self[f"{path}/$DeadLetterQueue"].peek(0, 10_000)
        return [(m.content.message_id, m.content.application_properties()["DeadLetterReason"]) for m in dead]

    def entries(self, event=None, entity=None):
        """The entries of the ledger, of one kind, or of one entity."""
        found = self.namespace.ledger.entries()
        return [e for e in found if event in (None, e.event) and entity in (None, e.entity)]

    def story(self, entity="q"):
        """What happened to the messages of an entity."""
        return [(e.event, e.message_id) for e in self.entries(entity=entity)]
