"""Messages that are set aside or wait for their time: deferred, scheduled, expiring."""

from __future__ import annotations

import pytest

from peeklock.servicebus.broker.errors import MessageNotFound

from .bench import Bench
from .content import Body


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
