"""A queue under test, with a clock that is moved by hand."""

from __future__ import annotations

from peeklock.servicebus import ManualClock, Queue
from peeklock.servicebus.broker import Namespace

from .content import Body
from .taker import Taker


class Bench:
    """A namespace with one queue `q`."""

    def __init__(self, **settings):
        self.clock = ManualClock()
        self.namespace = Namespace("ns", {"q": Queue(**settings)}, self.clock)
        self.queue = self.namespace.entity("q")
        self.dead = self.queue.dead_letters
        self.taker = Taker(self.queue)
        self.dead_taker = Taker(self.dead)

    def send(self, *ids, **options):
        self.queue.send([Body(message_id, **options) for message_id in ids])

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.namespace.run_due()

    def events(self, queue="q"):
        return [(e.event, e.message_id) for e in self.namespace.ledger.entries() if e.entity == queue]

    def last(self, event):
        return [e for e in self.namespace.ledger.entries() if e.event == event][-1]
