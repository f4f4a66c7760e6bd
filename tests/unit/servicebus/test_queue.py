"""What a queue is and keeps: numbers, duplicates, quotas, names, the ledger of its messages."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, Queue
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.errors import EntityNotFound, MessageTooLarge, NotAllowed, QuotaExceeded
from peeklock.servicebus.ledger import EventKind, Ledger

from .bench import Bench
from .content import Body
from .taker import Taker


def test_sequence_numbers_start_at_one_without_gaps():
    """S-53: 1, 2, 3 …; a dropped duplicate uses none."""
    bench = Bench(duplicate_detection_window=600)
    bench.send("a", "b", "b", "c")
    assert [m.sequence for m in bench.taker.take(9)] == [1, 2, 3]


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
    events = [e.event for e in bench.namespace.ledger.entries(after=cursor)]
    assert events == ["enqueued", "delivered", "lock_expired"]


def test_ledger_tells_a_message_s_life():
    """The ledger: numbers without gaps, 1-based deliveries, the consumer, the message where it was sent."""
    bench = Bench(lock_duration=5)
    bench.send("a")
    message = bench.taker.one()
    bench.queue.renew(message.token)
    bench.queue.complete(message.token)
    entries = bench.namespace.ledger.entries()
    assert [e.number for e in entries] == [1, 2, 3, 4]
    assert [e.event for e in entries] == ["enqueued", "delivered", "renewed", "completed"]
    assert entries[0].message.content.facts() == {"message_id": "a"}
    assert entries[1].details["locked_until"] == bench.clock.now() + 5
    assert {e.consumer for e in entries[1:]} == {"@container/link"}
    assert {(e.entity, e.message.sequence, e.message_id) for e in entries} == {("q", 1, "a")}
    assert bench.namespace.ledger.entries(after=2, limit=1) == [entries[2]]


def test_ledger_drops_the_oldest_past_its_caps():
    """The ledger's caps: entries and bytes of content; numbers go on, and what was dropped is counted."""
    clock = ManualClock()
    namespace = Namespace("ns", {"q": Queue()}, clock, ledger_cap=10)
    queue = namespace.entity("q")
    for number in range(25):
        queue.send([Body(str(number))])
    assert [e.number for e in namespace.ledger.entries()] == list(range(16, 26))
    assert namespace.ledger.dropped == 15
    ledger = Ledger(cap_bytes=250)
    for number in range(1, 6):
        ledger.record(1.0, "q", EventKind.ENQUEUED, number, "m", 1, content=Body("x"))
    assert [e.number for e in ledger.entries()] == [4, 5]
