"""What a queue is and keeps: numbers, duplicates, quotas, names, the ledger of its messages."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, Queue
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.errors import EntityNotFound, MessageTooLarge, NotAllowed, QuotaExceeded
from peeklock.servicebus.ledger import EventKind, Ledger

from .content import Body
from .kit import BrokerKit, Receiver, ids, message


def test_sequence_numbers_start_at_one_without_gaps():
    """S-53: 1, 2, 3 …; a dropped duplicate uses none."""
    kit = BrokerKit(duplicate_detection_window=600)
    kit.send("q", "a", "b", "b", "c")
    assert [m.sequence for m in kit.taker.ask(9)] == [1, 2, 3]


def test_peek_sees_every_state_and_locks_nothing():
    """S-55: active, locked, deferred and scheduled messages in order, from a number on, unchanged."""
    kit = BrokerKit()
    kit.send("q", "a", "b", "c")
    kit.queue.intake.schedule([message("s")], kit.clock.now() + 60)
    a, b = kit.taker.ask(2)
    kit.queue.settlement.defer(a.token)
    found = kit.queue.peek(0, 9)
    assert [(m.sequence, m.state) for m in found] == [(1, "deferred"), (2, "locked"), (3, "active"), (4, "scheduled")]
    assert [m.sequence for m in kit.queue.peek(2, 2)] == [2, 3]
    kit.queue.settlement.complete(b.token)


def test_duplicates_are_dropped_within_the_window():
    """S-57: same message-id within the window: accepted from the sender and dropped, also after consumption."""
    kit = BrokerKit(duplicate_detection_window=60)
    kit.send("q", "a", "a")
    kit.queue.settlement.complete(kit.taker.one().token)
    kit.advance(59)
    kit.send("q", "a")
    assert kit.taker.ask() == []
    kit.taker.credit = 0
    kit.advance(1)
    kit.send("q", "a")
    assert kit.taker.one().content.message_id == "a"
    assert kit.story().count(("duplicate_dropped", "a")) == 2


def test_scheduled_messages_count_as_duplicates_both_ways():
    """S-57: scheduling remembers the id, and a scheduling of a known id is dropped."""
    kit = BrokerKit(duplicate_detection_window=60)
    later = kit.clock.now() + 5
    kit.queue.intake.schedule([message("a")], later)
    kit.send("q", "a", "b")
    kit.queue.intake.schedule([message("b")], later)
    kit.advance(5)
    assert ids(kit.taker.ask(9)) == ["b", "a"]


def test_without_duplicate_detection_nothing_is_dropped():
    """S-57: duplicate detection is off unless the queue asks for it."""
    kit = BrokerKit()
    kit.send("q", "a", "a")
    assert len(kit.taker.ask(9)) == 2


def test_too_large_messages_and_full_queues():
    """S-64, S-66: size and quota have conditions of their own, and a refused batch leaves nothing behind."""
    kit = BrokerKit(max_size_in_megabytes=1)
    with pytest.raises(MessageTooLarge):
        kit.queue.send([message("ok"), Body("big", size=262_145)])
    for number in range(4):
        kit.queue.send([Body(str(number), size=262_144)])
    with pytest.raises(QuotaExceeded, match="Max entity size in bytes:1048576"):
        kit.send("q", "one more")
    assert kit.queue.log.active == 4


def test_dead_letters_do_not_count_on_the_quota_after_leaving():
    """S-66: what leaves the queue gives its bytes back."""
    kit = BrokerKit(max_size_in_megabytes=1)
    for number in range(4):
        kit.queue.send([Body(str(number), size=262_144)])
    kit.queue.settlement.dead_letter(kit.taker.one().token)
    kit.queue.send([Body("fits", size=262_144)])


def test_entities_are_found_without_regard_to_case():
    """S-51: queue names and the DLQ suffix are case-insensitive."""
    kit = BrokerKit()
    assert kit.namespace.entity("Q/$DeadLetterQueue") is kit.dead
    assert kit.namespace.entity("/q/") is kit.queue
    with pytest.raises(EntityNotFound, match="sb://ns/nope"):
        kit.namespace.entity("nope")


def test_each_entity_has_a_transfer_dead_letter_queue():
    """S-51: `<entity>/$Transfer/$DeadLetterQueue`, which cannot be sent to."""
    kit = BrokerKit()
    transfer = kit.namespace.entity("Q/$Transfer/$DeadLetterQueue")
    assert transfer is kit.namespace.entity("q/$transfer/$deadletterqueue")
    with pytest.raises(NotAllowed, match="dead-letter queue"):
        transfer.send([message()])
    with pytest.raises(EntityNotFound):
        kit.namespace.entity("nope/$Transfer/$DeadLetterQueue")


def test_receive_and_delete_counts_each_message_once():
    """S-40: what is left after a receive-and-delete still reaches the next receiver."""
    kit = BrokerKit()
    taker = Receiver(kit.queue, peek_lock=False)
    kit.send("q", "a", "b", "c")
    taker.one()
    assert kit.queue.log.active == 2
    taker.one()
    assert taker.one().content.message_id == "c"


def test_reset_empties_everything_but_receivers():
    """Reset: every state, DLQ and duplicate history emptied; waiting receivers keep their credit."""
    kit = BrokerKit(duplicate_detection_window=600)
    kit.send("q", "a", "b", "c", time_to_live=50)
    a, b = kit.taker.ask(2)
    kit.queue.settlement.defer(a.token)
    kit.queue.intake.schedule([message("s")], kit.clock.now() + 60)
    kit.queue.settlement.dead_letter(b.token)
    cursor = kit.namespace.reset()
    assert kit.namespace.ledger.entries(after=cursor) == []
    assert kit.queue.peek(0, 9) == kit.dead.peek(0, 9) == []
    kit.taker.ask(5)
    kit.send("q", "a")
    assert kit.taker.got[-1].content.message_id == "a"
    kit.taker.credit = 0
    kit.advance(1000)
    events = [e.event for e in kit.namespace.ledger.entries(after=cursor)]
    assert events == ["enqueued", "delivered", "lock_expired"]


def test_ledger_tells_a_message_s_life():
    """The ledger: numbers without gaps, 1-based deliveries, the consumer, the message where it was sent."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a")
    message = kit.taker.one()
    kit.queue.settlement.renew(message.token)
    kit.queue.settlement.complete(message.token)
    entries = kit.namespace.ledger.entries()
    assert [e.number for e in entries] == [1, 2, 3, 4]
    assert [e.event for e in entries] == ["enqueued", "delivered", "renewed", "completed"]
    assert entries[0].message.content.facts()["message_id"] == "a"
    assert entries[1].details["locked_until"] == kit.clock.now() + 5
    assert {e.consumer for e in entries[1:]} == {"@container/link"}
    assert {(e.entity, e.message.sequence, e.message_id) for e in entries} == {("q", 1, "a")}
    assert kit.namespace.ledger.entries(after=2, limit=1) == [entries[2]]


def test_ledger_drops_the_oldest_past_its_caps():
    """The ledger's caps: entries and bytes of content; numbers go on, and what was dropped is counted."""
    clock = ManualClock()
    namespace = Namespace("ns", {"q": Queue()}, clock, ledger_cap=10)
    queue = namespace.entity("q")
    for number in range(25):
        queue.send([message(str(number))])
    assert [e.number for e in namespace.ledger.entries()] == list(range(16, 26))
    assert namespace.ledger.dropped == 15
    ledger = Ledger(cap_bytes=250)
    for number in range(1, 6):
        ledger.record(1.0, "q", EventKind.ENQUEUED, number, "m", 1, content=Body("x"))
    assert [e.number for e in ledger.entries()] == [4, 5]
