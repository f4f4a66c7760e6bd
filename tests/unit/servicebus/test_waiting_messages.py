"""Messages that are set aside or wait for their time: deferred, scheduled, expiring."""

from __future__ import annotations

import pytest

from peeklock.servicebus.broker.errors import MessageNotFound

from .kit import BrokerKit, ids, message


def test_deferred_messages_are_fetched_by_number_only():
    """S-48: a deferred message is not delivered; it is received by sequence number and then completed."""
    kit = BrokerKit()
    kit.send("q", "a", "b")
    kit.queue.settlement.defer(kit.taker.one().token)
    assert ids(kit.taker.ask(9)) == ["b"]
    (message,) = kit.queue.receive_deferred([1], "me", peek_lock=True)
    assert message.delivery_count == 0
    kit.queue.settlement.complete(message.token)
    with pytest.raises(MessageNotFound):
        kit.queue.receive_deferred([1], "me", peek_lock=True)


def test_receiving_deferred_is_all_or_nothing():
    """S-28: one missing or locked number, and none is received."""
    kit = BrokerKit()
    kit.send("q", "a", "b")
    a, _b = kit.taker.ask(2)
    kit.queue.settlement.defer(a.token)
    for numbers in ([1, 2], [1, 99], [1, 1]):
        with pytest.raises(MessageNotFound):
            kit.queue.receive_deferred(numbers, "me", peek_lock=True)
    assert kit.queue.log.deferred == 1


def test_deferred_messages_return_to_the_deferred_ones():
    """S-48: abandon, release and lock expiry bring a deferred message back to the deferred set, never to receivers."""
    kit = BrokerKit(lock_duration=5, max_delivery_count=1)
    kit.send("q", "a")
    kit.queue.settlement.defer(kit.taker.one().token)
    (message,) = kit.queue.receive_deferred([1], "me", peek_lock=True)
    kit.queue.settlement.abandon(message.token)
    (message,) = kit.queue.receive_deferred([1], "me", peek_lock=True)
    kit.advance(5)
    (message,) = kit.queue.receive_deferred([1], "me", peek_lock=True)
    kit.queue.settlement.release(message.token)
    assert kit.taker.ask() == []
    assert kit.queue.receive_deferred([1], "me", peek_lock=False)[0].delivery_count == 2


def test_deferred_messages_do_not_expire_and_can_be_dead_lettered():
    """S-48, S-50: the time to live does not reach a deferred message; dead-lettering does."""
    kit = BrokerKit(dead_lettering_on_expiration=True)
    kit.send("q", "a", time_to_live=1)
    kit.queue.settlement.defer(kit.taker.one().token)
    kit.advance(10)
    (message,) = kit.queue.receive_deferred([1], "me", peek_lock=True)
    kit.queue.settlement.dead_letter(message.token, "r", "d")
    assert kit.dead_taker.one().content.application_properties() == {
        "DeadLetterReason": "r",
        "DeadLetterErrorDescription": "d",
    }


def test_expired_messages_are_dropped():
    """S-50: past its time to live a message is dropped; the entity's default is the upper bound."""
    kit = BrokerKit(default_time_to_live=10)
    kit.send("q", "short", time_to_live=2)
    kit.send("q", "long", time_to_live=100)
    kit.advance(3)
    assert ids(kit.queue.peek(0, 9)) == ["long"]
    kit.advance(7)
    assert kit.queue.peek(0, 9) == []
    assert [e for e in kit.story() if e[0] == "expired"] == [("expired", "short"), ("expired", "long")]
    assert kit.queue.log.active == 0


def test_expired_messages_are_never_delivered():
    """S-50: a receiver that comes after the expiry gets nothing, even before any timer has run."""
    kit = BrokerKit()
    kit.send("q", "a", time_to_live=2)
    kit.clock.advance(2)
    assert kit.taker.ask() == []


def test_expiry_dead_letters_when_asked_to():
    """S-50: DeadLetteringOnMessageExpiration moves expired messages to the DLQ with Service Bus's reason and words."""
    kit = BrokerKit(dead_lettering_on_expiration=True)
    kit.send("q", "a", time_to_live=2)
    kit.advance(2)
    assert kit.dead_taker.one().content.application_properties() == {
        "DeadLetterReason": "TTLExpiredException",
        "DeadLetterErrorDescription": "The message expired and was dead lettered.",
    }


def test_expiry_waits_for_the_lock():
    """S-50: a locked message does not expire; when it comes back, it does."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a", "b", time_to_live=2)
    a, b = kit.taker.ask(2)
    kit.taker.credit = 0
    kit.advance(3)
    kit.queue.settlement.complete(a.token)
    kit.queue.settlement.abandon(b.token)
    assert kit.taker.ask() == []
    assert kit.story()[-1] == ("expired", "b")


def test_scheduled_messages_wait_and_get_a_new_number():
    """S-54: hidden until their time, then a new sequence number, and an enqueued time which is that of activation."""
    kit = BrokerKit(lock_duration=300)
    at = kit.clock.now() + 60
    (number,) = kit.queue.intake.schedule([message("later")], at)
    kit.send("q", "now")
    assert ids(kit.taker.ask(9)) == ["now"]
    kit.advance(59.9)
    assert len(kit.taker.got) == 1
    kit.advance(0.1)
    activated = kit.taker.got[1]
    assert (number, activated.sequence) == (1, 3)
    assert activated.enqueued_at >= at
    with pytest.raises(MessageNotFound):
        kit.queue.intake.cancel([number])


def test_sending_with_a_scheduled_time():
    """S-54: a send with a time ahead is a scheduling; with a time past it is immediate."""
    kit = BrokerKit()
    kit.send("q", "later", scheduled_at=kit.clock.now() + 5)
    kit.send("q", "past", scheduled_at=kit.clock.now() - 5)
    assert ids(kit.taker.ask(9)) == ["past"]
    kit.advance(5)
    assert kit.taker.got[-1].content.message_id == "later"


def test_cancelling_scheduled_messages():
    """S-54: a cancelled message never comes; unknown numbers are not found, and then nothing is cancelled."""
    kit = BrokerKit()
    numbers = kit.queue.intake.schedule([message("a"), message("b")], kit.clock.now() + 5)
    with pytest.raises(MessageNotFound):
        kit.queue.intake.cancel([numbers[0], 99])
    kit.queue.intake.cancel(numbers)
    kit.advance(10)
    assert kit.taker.ask() == []
    assert kit.queue.log.scheduled == 0


def test_time_to_live_of_a_scheduled_message_counts_from_its_activation():
    """S-50: TTL counts from activation."""
    kit = BrokerKit()
    kit.queue.intake.schedule([message("a", time_to_live=10)], kit.clock.now() + 60)
    kit.advance(65)
    assert kit.queue.log.active == 1
    kit.advance(5)
    assert kit.queue.log.active == 0
