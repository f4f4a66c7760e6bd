"""What is due is found at a cost that does not grow with what waits."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from peeklock.servicebus.broker import Message
from peeklock.servicebus.broker.deadlines import Deadlines

from .content import Body
from .kit import BrokerKit, ids


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["add", "go", "pop"])), max_size=60))
def test_deadlines_come_in_order(steps):
    """Whatever the order in which messages come and go, those that are left become due in the order of their moments."""
    now, added = 0.0, []
    deadlines = Deadlines(lambda m: m.expires_at if m.state == "active" else None)
    for when, step in steps:
        waiting = sorted((m for m in added if m.state == "active"), key=lambda m: m.expires_at)
        assert not waiting or deadlines.next_due() <= waiting[0].expires_at
        if step == "add":
            added.append(Message(Body(), len(added) + 1, now, now + when))
            deadlines.add(now + when, added[-1])
        elif step == "go" and waiting:
            waiting[when % len(waiting)].state = "gone"
            deadlines.discard()
        else:
            now += when
            found = []
            while (message := deadlines.due(now)) is not None:
                found.append(message.expires_at)
                message.state = "expired"
                deadlines.discard()
            assert found == [m.expires_at for m in waiting if m.expires_at <= now]


def test_cost_stays_flat_with_depth(monkeypatch):
    """Locks, expiries and schedules of a deep queue cost no scan: only what is due is touched."""
    kit = BrokerKit(lock_duration=60, max_size_in_megabytes=1024)
    for _ in range(50):
        kit.send("q", *("m" for _ in range(400)), time_to_live=1000)
    visited = []
    due = Deadlines.due
    monkeypatch.setattr(Deadlines, "due", lambda self, now: visited.append(now) or due(self, now))
    message = kit.taker.one()
    kit.advance(61)
    assert len(visited) == 2  # one look at the schedule, one at the expiries
    assert kit.queue.peek(19_990, 5)[0].sequence == 19_990
    kit.taker.ask(20_000)
    kit.taker.credit = 0
    for taken in kit.taker.got[1:]:
        kit.queue.settlement.complete(taken.token)
    assert message.state == "gone"


def test_messages_that_have_moved_on_leave_no_deadlines_behind():
    """A million consumed messages cost no memory until their time to live is over."""
    deadlines = Deadlines(lambda m: m.expires_at if m.state == "active" else None)
    for number in range(1, 20_000):
        message = Message(Body(), number, 0.0, 1_000.0 + number % 7)
        deadlines.add(message.expires_at, message)
        message.state = "gone"
        deadlines.discard()
    assert len(deadlines) <= 2_048


def test_peek_steps_over_a_million_consumed_numbers():
    """S-55: a peek behind a long gap of consumed messages does not walk through every number."""
    kit = BrokerKit()

    def peek():
        began = time.perf_counter()
        found = kit.queue.peek(2, 9)
        return time.perf_counter() - began, ids(found)

    kit.send("q", "first", "second")
    near = min(peek()[0] for _ in range(20))
    kit.queue.settlement.complete(kit.taker.ask(2)[1].token)
    kit.queue.log.reserve(range(1_000_000))
    kit.send("q", "last")
    far, found = min(peek() for _ in range(20))
    assert found == ["last"]
    assert far < near * 500  # a step for each number would be ten thousand times as long
