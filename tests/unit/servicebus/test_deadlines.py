"""What is due is found at a cost that does not grow with what waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from peeklock.servicebus.broker import Message
from peeklock.servicebus.broker.deadlines import Deadlines

from .bench import Bench
from .content import Body


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
            while (message := deadlines.pop_due(now)) is not None:
                found.append(message.expires_at)
                message.state = "expired"
            assert found == [m.expires_at for m in waiting if m.expires_at <= now]


def test_cost_stays_flat_with_depth(monkeypatch):
    """Locks, expiries and schedules of a deep queue cost no scan: only what is due is touched."""
    bench = Bench(lock_duration=60, max_size_in_megabytes=1024)
    for _ in range(50):
        bench.send(*("m" for _ in range(400)), ttl=1000, size=1)
    visited = []
    pop = Deadlines.pop_due
    monkeypatch.setattr(Deadlines, "pop_due", lambda self, now: visited.append(now) or pop(self, now))
    message = bench.taker.one()
    bench.advance(61)
    assert len(visited) == 2  # one look at the schedule, one at the expiries
    assert bench.queue.peek(19_990, 5)[0].sequence == 19_990
    bench.taker.take(20_000)
    bench.taker.credit = 0
    for taken in bench.taker.got[1:]:
        bench.queue.complete(taken.token)
    assert bench.queue._expiries.next_due() is None
    assert len(bench.queue._expiries) <= 2_048
    assert message.state == "gone"


def test_peek_steps_over_a_million_consumed_numbers():
    """S-55: a peek behind a long gap of consumed messages does not walk through every number."""
    bench = Bench(max_size_in_megabytes=1024)
    bench.send("first")
    bench.queue.defer(bench.taker.one().token)
    bench.queue._next_sequence = 1_000_000
    bench.send("last")
    assert sum(map(len, bench.queue._index._blocks.values())) < 3_000, "the places that a scan looks at"
    assert [m.content.message_id for m in bench.queue.peek(2, 9)] == ["last"]
