"""A receiver of the broker's, for tests: its credit is what the test says."""

from __future__ import annotations

from peeklock.servicebus.broker import Consumer


class Taker(Consumer):
    """Keeps what it is given in `got`."""

    def __init__(self, entity, *, peek_lock=True, name="link"):
        super().__init__("container", name, peek_lock=peek_lock)
        self.entity, self.credit, self.got = entity, 0, []
        entity.add_consumer(self)

    @property
    def ready(self):
        return self.credit > 0

    def deliver(self, message):
        self.credit -= 1
        self.got.append(message)

    def take(self, credit=1):
        """Ask for messages, and go on asking; return those that came at once."""
        before = len(self.got)
        self.credit = credit
        self.entity.wake(self)
        return self.got[before:]

    def some(self, credit=1):
        """Take messages that are there, and ask for no more."""
        found = self.take(credit)
        self.credit = 0
        return found

    def one(self):
        """Take the one message that has to be there."""
        (message,) = self.some()
        return message
