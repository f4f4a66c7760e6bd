"""How messages are handed out, locked and settled."""

from __future__ import annotations

import pytest

from peeklock.servicebus.broker.errors import MessageLockLost, NotAllowed

from .bench import Bench
from .content import Body
from .taker import Taker


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
    assert bench.last("delivered").message.delivery == 2


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
    assert (entry.reason, entry.message.delivery) == ("MaxDeliveryCountExceeded", 3)
    assert entry.details["description"] == "Message could not be consumed after 3 delivery attempts."
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
    (arrival,) = [e for e in entries if e.entity == "q/$deadletterqueue" and e.event == "enqueued"]
    assert arrival.details["dead_letter_source"] == 2


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
