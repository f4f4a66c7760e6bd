"""A receiver of message sessions, for tests: its credit is what the test says."""

from __future__ import annotations

from peeklock.servicebus.broker.session import SessionConsumer


class Holder(SessionConsumer):
    """A receiver that writes down what it is told."""

    def __init__(self, queue, name="link", *, peek_lock=True, credit=0):
        super().__init__("container", name, peek_lock=peek_lock)
        self.queue, self.credit = queue, credit
        self.got, self.session, self.until = [], None, None
        self.refused = self.lost = None

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

    def take(self, credit=1):
        """Ask for messages; return the ids of those that came."""
        before = len(self.got)
        self.credit = credit
        self.queue.wake(self)
        return [message.content.message_id for message in self.got[before:]]

    def close(self):
        self.queue.remove_consumer(self)
