"""The broker's rules for queues, with a clock that is moved by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.servicebus import ManualClock, Queue
from harness.servicebus.broker import Message, Namespace
from harness.servicebus.broker.deadlines import Deadlines
from harness.servicebus.broker.errors import (
    EntityNotFound,
    MessageLockLost,
    MessageNotFound,
    MessageTooLarge,
    NotAllowed,
    QuotaExceeded,
)

from .taker import Taker


@dataclass
class Body:
    """The smallest content that the broker's rules need."""

    message_id: str = "m"
    ttl: float | None = None
    scheduled_at: float | None = None
    size: int = 100
    session_id: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)
    sender: str | None = None

    def flaw(self):
        return None

    def limit_ttl(self, seconds):
        self.ttl = seconds

    def updated(self, properties):
        return Body(self.message_id, self.ttl, self.scheduled_at, self.size, None, {**self.properties, **properties})


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
        return [(e["event"], e["message_id"]) for e in self.namespace.ledger.entries() if e["queue"] == queue]

    def last(self, event):
        return [e for e in self.namespace.ledger.entries() if e["event"] == event][-1]


def test_sequence_numbers_start_at_one_without_gaps():
    """S-53: 1, 2, 3 …; a dropped duplicate uses none."""
    bench = Bench(duplicate_detection_window=600)
    bench.send("a", "b", "b", "c")
    assert [m.sequence for m in bench.taker.take(9)] == [1, 2, 3]


def test_messages_come_in_order_and_abandoned_ones_first():
    """S-56: sequence order; an abandoned message is redelivered before later ones."""
    bench = Bench()
    bench.send("a", "b", "c")
    first = bench.taker.one()
    assert first.content.message_id == "a"
    bench.queue.abandon(first.token)
    assert [m.content.message_id for m in bench.taker.take(9)] == ["a", "b", "c"]


def test_several_abandoned_messages_keep_their_order():
    """S-56: whatever the order of giving back, sequence numbers decide."""
    bench = Bench()
    bench.send("a", "b", "c", "d")
    a, b, c = bench.taker.take(3)
    for message in (c, a, b):
        bench.queue.abandon(message.token)
    assert [m.content.message_id for m in bench.taker.take(9)] == ["a", "b", "c", "d"]


def test_receivers_take_turns():
    """Waiting receivers are woken directly, one message each in turn."""
    bench = Bench()
    one, two = Taker(bench.queue, name="1"), Taker(bench.queue, name="2")
    one.take(5), two.take(5)
    bench.send("a", "b", "c", "d")
    assert [m.content.message_id for m in one.got] == ["a", "c"]
    assert [m.content.message_id for m in two.got] == ["b", "d"]


def test_receive_and_delete_forgets_at_once():
    """S-40: receive-and-delete removes the message when it is sent, without a lock."""
    bench = Bench()
    taker = Taker(bench.queue, peek_lock=False)
    bench.send("a")
    assert taker.take()[0].token == b""
    assert bench.queue.peek(0, 9) == []
    assert bench.events() == [("enqueued", "a"), ("received_and_deleted", "a")]


def test_complete_removes_and_only_once():
    """S-42, S-44: accepted removes the message; a second settlement has lost its lock."""
    bench = Bench()
    bench.send("a")
    message = bench.taker.one()
    bench.queue.complete(message.token)
    with pytest.raises(MessageLockLost):
        bench.queue.complete(message.token)
    assert bench.queue.size_in_bytes == 0


def test_abandon_counts_and_modifies():
    """S-42, S-49: abandon adds one to the delivery count and merges the properties to modify."""
    bench = Bench()
    bench.send("a")
    bench.queue.abandon(bench.taker.one().token, {"tried": True})
    again = bench.taker.one()
    assert again.delivery_count == 1
    assert again.content.properties == {"tried": True}
    assert bench.last("delivered")["delivery"] == 2


def test_release_does_not_count():
    """S-42: released unlocks without adding to the delivery count."""
    bench = Bench()
    bench.send("a")
    bench.queue.release(bench.taker.one().token)
    assert bench.taker.one().delivery_count == 0


def test_max_delivery_count_dead_letters():
    """S-49: after the last allowed delivery fails the message goes to the DLQ with Service Bus's reason and words."""
    bench = Bench(max_delivery_count=3)
    bench.send("a")
    for _ in range(3):
        bench.queue.abandon(bench.taker.one().token)
    assert bench.taker.take() == []
    entry = bench.last("dead_lettered")
    assert (entry["reason"], entry["delivery"]) == ("MaxDeliveryCountExceeded", 3)
    assert entry["description"] == "Message could not be consumed after 3 delivery attempts."
    dead = bench.dead_taker.one()
    assert dead.content.properties["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert dead.delivery_count == 3


def test_lock_expiry_counts_and_returns_the_message():
    """S-46, S-49: a lock that runs out brings the message back, counted; the old token is worth nothing."""
    bench = Bench(lock_duration=5)
    bench.send("a")
    message = bench.taker.one()
    token = message.token
    bench.advance(4.9)
    assert bench.taker.take() == []
    bench.taker.credit = 0
    bench.advance(0.2)
    with pytest.raises(MessageLockLost):
        bench.queue.complete(token)
    assert bench.taker.one().delivery_count == 1
    assert ("lock_expired", "a") in bench.events()


def test_lock_is_lost_by_the_clock_not_by_the_timer():
    """S-44: a settlement that comes after the expiry is refused even when no timer has run yet."""
    bench = Bench(lock_duration=5)
    bench.send("a")
    token = bench.taker.one().token
    bench.clock.advance(5.0)
    with pytest.raises(MessageLockLost):
        bench.queue.complete(token)


def test_lock_outlives_its_receiver():
    """S-46: a receiver that goes does not unlock; the token still settles, and only expiry brings the message back."""
    bench = Bench(lock_duration=5)
    bench.send("a", "b")
    a, _b = bench.taker.take(2)
    bench.queue.remove_consumer(bench.taker)
    other = Taker(bench.queue, name="other")
    assert other.take() == []
    bench.queue.complete(a.token)
    bench.advance(5)
    assert [m.content.message_id for m in other.got] == ["b"]


def test_lock_expiry_reaches_a_waiting_receiver():
    """S-46: when a lock runs out, a receiver that waits gets the message at once."""
    bench = Bench(lock_duration=5)
    bench.send("a")
    bench.taker.one()
    waiting = Taker(bench.queue, name="waiting")
    waiting.take()
    bench.advance(5)
    assert [m.delivery_count for m in waiting.got] == [1]


def test_renew_gives_a_full_duration():
    """S-47: renew sets locked-until to now + lock duration; an expired lock cannot be renewed."""
    bench = Bench(lock_duration=5)
    bench.send("a")
    token = bench.taker.one().token
    bench.advance(4)
    assert bench.queue.renew(token) == bench.clock.now() + 5
    bench.advance(4)
    assert bench.queue.locked(token)
    bench.advance(1)
    with pytest.raises(MessageLockLost):
        bench.queue.renew(token)


def test_renewed_locks_do_not_hold_others_up():
    """S-47: the expiry of a later lock is seen though an earlier one was renewed past it."""
    bench = Bench(lock_duration=5)
    bench.send("a", "b")
    a, _b = bench.taker.take(2)
    bench.taker.credit = 0
    bench.advance(3)
    bench.queue.renew(a.token)
    bench.advance(2)
    assert bench.events()[-1] == ("lock_expired", "b")
    assert bench.queue.locked(a.token)


def test_deferred_messages_are_fetched_by_number_only():
    """S-48: a deferred message is not delivered; it is received by sequence number and then completed."""
    bench = Bench()
    bench.send("a", "b")
    bench.queue.defer(bench.taker.one().token)
    assert [m.content.message_id for m in bench.taker.take(9)] == ["b"]
    (message,) = bench.queue.receive_deferred([1], "me", peek_lock=True)
    assert message.delivery_count == 0
    bench.queue.complete(message.token)
    with pytest.raises(MessageNotFound):
        bench.queue.receive_deferred([1], "me", peek_lock=True)


def test_receiving_deferred_is_all_or_nothing():
    """S-28: one missing or locked number, and none is received."""
    bench = Bench()
    bench.send("a", "b")
    a, _b = bench.taker.take(2)
    bench.queue.defer(a.token)
    for numbers in ([1, 2], [1, 99], [1, 1]):
        with pytest.raises(MessageNotFound):
            bench.queue.receive_deferred(numbers, "me", peek_lock=True)
    assert bench.queue.deferred == 1


def test_deferred_messages_return_to_the_deferred_ones():
    """S-48: abandon, release and lock expiry bring a deferred message back to the deferred set, never to receivers."""
    bench = Bench(lock_duration=5, max_delivery_count=1)
    bench.send("a")
    bench.queue.defer(bench.taker.one().token)
    (message,) = bench.queue.receive_deferred([1], "me", peek_lock=True)
    bench.queue.abandon(message.token)
    (message,) = bench.queue.receive_deferred([1], "me", peek_lock=True)
    bench.advance(5)
    (message,) = bench.queue.receive_deferred([1], "me", peek_lock=True)
    bench.queue.release(message.token)
    assert bench.taker.take() == []
    assert bench.queue.receive_deferred([1], "me", peek_lock=False)[0].delivery_count == 2


def test_deferred_messages_do_not_expire_and_can_be_dead_lettered():
    """S-48, S-50: the time to live does not reach a deferred message; dead-lettering does."""
    bench = Bench(dead_lettering_on_expiration=True)
    bench.send("a", ttl=1)
    bench.queue.defer(bench.taker.one().token)
    bench.advance(10)
    (message,) = bench.queue.receive_deferred([1], "me", peek_lock=True)
    bench.queue.dead_letter(message.token, "r", "d")
    assert bench.dead_taker.one().content.properties == {"DeadLetterReason": "r", "DeadLetterErrorDescription": "d"}


def test_dead_lettering_by_a_receiver():
    """S-33, S-42, S-51: reason, description and more properties; a new number in the DLQ, with its origin."""
    bench = Bench()
    bench.send("x", "a")
    _x, a = bench.taker.take(2)
    bench.queue.dead_letter(a.token, "why", "words", {"k": 1})
    dead = bench.dead_taker.one()
    assert dead.content.properties == {"DeadLetterReason": "why", "DeadLetterErrorDescription": "words", "k": 1}
    assert (dead.sequence, dead.origin) == (1, 2)
    entries = bench.namespace.ledger.entries()
    (arrival,) = [e for e in entries if e["queue"] == "q/$deadletterqueue" and e["event"] == "enqueued"]
    assert arrival["dead_letter_source"] == 2


def test_a_dead_letter_queue_takes_nothing_and_keeps_everything():
    """S-50, S-51: no sending to a DLQ, no dead-lettering out of it, no expiry and no maximum of deliveries in it."""
    bench = Bench(max_delivery_count=1, lock_duration=1)
    bench.send("a", ttl=1000)
    bench.queue.dead_letter(bench.taker.one().token)
    with pytest.raises(NotAllowed):
        bench.dead.send([Body()])
    message = bench.dead_taker.one()
    with pytest.raises(NotAllowed):
        bench.dead.dead_letter(message.token, "again")
    for _ in range(3):
        bench.dead.abandon(message.token)
        message = bench.dead_taker.one()
    bench.advance(100_000)
    assert bench.dead_taker.one().content.message_id == "a"


def test_expired_messages_are_dropped():
    """S-50: past its time to live a message is dropped; the entity's default is the upper bound."""
    bench = Bench(default_time_to_live=10)
    bench.send("short", ttl=2)
    bench.send("long", ttl=100)
    bench.advance(3)
    assert [m.content.message_id for m in bench.queue.peek(0, 9)] == ["long"]
    bench.advance(7)
    assert bench.queue.peek(0, 9) == []
    assert [e for e in bench.events() if e[0] == "expired"] == [("expired", "short"), ("expired", "long")]
    assert bench.queue.active == 0


def test_expired_messages_are_never_delivered():
    """S-50: a receiver that comes after the expiry gets nothing, even before any timer has run."""
    bench = Bench()
    bench.send("a", ttl=2)
    bench.clock.advance(2)
    assert bench.taker.take() == []


def test_expiry_dead_letters_when_asked_to():
    """S-50: DeadLetteringOnMessageExpiration moves expired messages to the DLQ with Service Bus's reason and words."""
    bench = Bench(dead_lettering_on_expiration=True)
    bench.send("a", ttl=2)
    bench.advance(2)
    assert bench.dead_taker.one().content.properties == {
        "DeadLetterReason": "TTLExpiredException",
        "DeadLetterErrorDescription": "The message expired and was dead lettered.",
    }


def test_expiry_waits_for_the_lock():
    """S-50: a locked message does not expire; when it comes back, it does."""
    bench = Bench(lock_duration=5)
    bench.send("a", "b", ttl=2)
    a, b = bench.taker.take(2)
    bench.taker.credit = 0
    bench.advance(3)
    bench.queue.complete(a.token)
    bench.queue.abandon(b.token)
    assert bench.taker.take() == []
    assert bench.events()[-1] == ("expired", "b")


def test_scheduled_messages_wait_and_get_a_new_number():
    """S-54: hidden until their time, then a new sequence number, and an enqueued time which is that of activation."""
    bench = Bench(lock_duration=300)
    at = bench.clock.now() + 60
    (number,) = bench.queue.schedule([Body("later")], at)
    bench.send("now")
    assert [m.content.message_id for m in bench.taker.take(9)] == ["now"]
    bench.advance(59.9)
    assert len(bench.taker.got) == 1
    bench.advance(0.1)
    activated = bench.taker.got[1]
    assert (number, activated.sequence) == (1, 3)
    assert activated.enqueued_at >= at
    with pytest.raises(MessageNotFound):
        bench.queue.cancel([number])


def test_sending_with_a_scheduled_time():
    """S-54: a send with a time ahead is a scheduling; with a time past it is immediate."""
    bench = Bench()
    bench.send("later", scheduled_at=bench.clock.now() + 5)
    bench.send("past", scheduled_at=bench.clock.now() - 5)
    assert [m.content.message_id for m in bench.taker.take(9)] == ["past"]
    bench.advance(5)
    assert bench.taker.got[-1].content.message_id == "later"


def test_cancelling_scheduled_messages():
    """S-54: a cancelled message never comes; unknown numbers are not found, and then nothing is cancelled."""
    bench = Bench()
    numbers = bench.queue.schedule([Body("a"), Body("b")], bench.clock.now() + 5)
    with pytest.raises(MessageNotFound):
        bench.queue.cancel([numbers[0], 99])
    bench.queue.cancel(numbers)
    bench.advance(10)
    assert bench.taker.take() == []
    assert bench.queue.scheduled_count == 0


def test_time_to_live_of_a_scheduled_message_counts_from_its_activation():
    """S-50: TTL counts from activation."""
    bench = Bench()
    bench.queue.schedule([Body("a", ttl=10)], bench.clock.now() + 60)
    bench.advance(65)
    assert bench.queue.active == 1
    bench.advance(5)
    assert bench.queue.active == 0


def test_peek_sees_every_state_and_locks_nothing():
    """S-55: active, locked, deferred and scheduled messages in order, from a number on, unchanged."""
    bench = Bench()
    bench.send("a", "b", "c")
    bench.queue.schedule([Body("s")], bench.clock.now() + 60)
    a, b = bench.taker.take(2)
    bench.queue.defer(a.token)
    found = bench.queue.peek(0, 9)
    assert [(m.sequence, m.state) for m in found] == [(1, "deferred"), (2, "locked"), (3, "active"), (4, "scheduled")]
    assert [m.sequence for m in bench.queue.peek(2, 2)] == [2, 3]
    bench.queue.complete(b.token)


def test_duplicates_are_dropped_within_the_window():
    """S-57: same message-id within the window: accepted from the sender and dropped, also after consumption."""
    bench = Bench(duplicate_detection_window=60)
    bench.send("a", "a")
    bench.queue.complete(bench.taker.one().token)
    bench.advance(59)
    bench.send("a")
    assert bench.taker.take() == []
    bench.taker.credit = 0
    bench.advance(1)
    bench.send("a")
    assert bench.taker.one().content.message_id == "a"
    assert bench.events().count(("duplicate_dropped", "a")) == 2


def test_scheduled_messages_count_as_duplicates_both_ways():
    """S-57: scheduling remembers the id, and a scheduling of a known id is dropped."""
    bench = Bench(duplicate_detection_window=60)
    later = bench.clock.now() + 5
    bench.queue.schedule([Body("a")], later)
    bench.send("a", "b")
    bench.queue.schedule([Body("b")], later)
    bench.advance(5)
    assert [m.content.message_id for m in bench.taker.take(9)] == ["b", "a"]


def test_without_duplicate_detection_nothing_is_dropped():
    """S-57: duplicate detection is off unless the queue asks for it."""
    bench = Bench()
    bench.send("a", "a")
    assert len(bench.taker.take(9)) == 2


def test_too_large_messages_and_full_queues():
    """S-64, S-66: size and quota have conditions of their own, and a refused batch leaves nothing behind."""
    bench = Bench(max_size_in_megabytes=1)
    with pytest.raises(MessageTooLarge):
        bench.queue.send([Body("ok"), Body("big", size=262_145)])
    for number in range(4):
        bench.queue.send([Body(str(number), size=262_144)])
    with pytest.raises(QuotaExceeded, match="Max entity size in bytes:1048576"):
        bench.send("one more")
    assert bench.queue.active == 4


def test_dead_letters_do_not_count_on_the_quota_after_leaving():
    """S-66: what leaves the queue gives its bytes back."""
    bench = Bench(max_size_in_megabytes=1)
    for number in range(4):
        bench.queue.send([Body(str(number), size=262_144)])
    bench.queue.dead_letter(bench.taker.one().token)
    bench.queue.send([Body("fits", size=262_144)])


def test_entities_are_found_without_regard_to_case():
    """S-51: queue names and the DLQ suffix are case-insensitive."""
    bench = Bench()
    assert bench.namespace.entity("Q/$DeadLetterQueue") is bench.dead
    assert bench.namespace.entity("/q/") is bench.queue
    with pytest.raises(EntityNotFound, match="sb://ns/nope"):
        bench.namespace.entity("nope")


def test_each_entity_has_a_transfer_dead_letter_queue():
    """S-51: `<entity>/$Transfer/$DeadLetterQueue`, which cannot be sent to."""
    bench = Bench()
    transfer = bench.namespace.entity("Q/$Transfer/$DeadLetterQueue")
    assert transfer is bench.namespace.entity("q/$transfer/$deadletterqueue")
    with pytest.raises(NotAllowed, match="dead-letter queue"):
        transfer.send([Body()])
    with pytest.raises(EntityNotFound):
        bench.namespace.entity("nope/$Transfer/$DeadLetterQueue")


def test_receive_and_delete_counts_each_message_once():
    """S-40: what is left after a receive-and-delete still reaches the next receiver."""
    bench = Bench()
    taker = Taker(bench.queue, peek_lock=False)
    bench.send("a", "b", "c")
    taker.one()
    assert bench.queue.active == 2
    taker.one()
    assert taker.one().content.message_id == "c"


def test_reset_empties_everything_but_receivers():
    """Reset: every state, DLQ and duplicate history emptied; waiting receivers keep their credit."""
    bench = Bench(duplicate_detection_window=600)
    bench.send("a", "b", "c", ttl=50)
    a, b = bench.taker.take(2)
    bench.queue.defer(a.token)
    bench.queue.schedule([Body("s")], bench.clock.now() + 60)
    bench.queue.dead_letter(b.token)
    cursor = bench.namespace.reset()
    assert bench.namespace.ledger.entries(after=cursor) == []
    assert bench.queue.peek(0, 9) == bench.dead.peek(0, 9) == []
    bench.taker.take(5)
    bench.send("a")
    assert bench.taker.got[-1].content.message_id == "a"
    bench.taker.credit = 0
    bench.advance(1000)
    events = [e["event"] for e in bench.namespace.ledger.entries(after=cursor)]
    assert events == ["enqueued", "delivered", "lock_expired"]


def test_ledger_tells_a_message_s_life():
    """The ledger: numbers without gaps, 1-based deliveries, the consumer, the message where it was sent."""
    bench = Bench(lock_duration=5)
    bench.namespace.ledger._describe = lambda content: {"message_id": content.message_id}
    bench.send("a")
    message = bench.taker.one()
    bench.queue.renew(message.token)
    bench.queue.complete(message.token)
    entries = bench.namespace.ledger.entries()
    assert [e["n"] for e in entries] == [1, 2, 3, 4]
    assert [e["event"] for e in entries] == ["enqueued", "delivered", "renewed", "completed"]
    assert entries[0]["message"] == {"message_id": "a"}
    assert entries[1]["locked_until"] == bench.clock.now() + 5
    assert {e["consumer"] for e in entries[1:]} == {"@container/link"}
    assert {(e["queue"], e["sequence"], e["message_id"]) for e in entries} == {("q", 1, "a")}
    assert bench.namespace.ledger.entries(after=2, limit=1) == [entries[2]]


def test_ledger_drops_the_oldest_past_its_caps():
    """The ledger's caps: entries and bytes of content; numbers go on, and what was dropped is counted."""
    clock = ManualClock()
    namespace = Namespace("ns", {"q": Queue()}, clock, ledger_cap=10)
    queue = namespace.entity("q")
    for number in range(25):
        queue.send([Body(str(number))])
    assert [e["n"] for e in namespace.ledger.entries()] == list(range(16, 26))
    assert namespace.ledger.dropped == 15
    namespace.ledger._cap_bytes = 250
    queue.send([Body("x")])
    assert len(namespace.ledger.entries()) == 2


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


def test_peek_steps_over_a_million_consumed_numbers():
    """S-55: a peek behind a long gap of consumed messages does not walk through every number."""
    bench = Bench(max_size_in_megabytes=1024)
    bench.send("first")
    bench.queue.defer(bench.taker.one().token)
    bench.queue._next_sequence = 1_000_000
    bench.send("last")
    assert sum(map(len, bench.queue._index._blocks.values())) < 3_000, "the places that a scan looks at"
    assert [m.content.message_id for m in bench.queue.peek(2, 9)] == ["last"]
