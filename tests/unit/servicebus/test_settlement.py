"""How messages are handed out, locked and settled."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.servicebus import Queue
from peeklock.servicebus.broker.errors import MessageLockLost, NotAllowed
from peeklock.servicebus.broker.locks import LockTable

from .kit import BrokerKit, Receiver, ids


def test_messages_come_in_order_and_abandoned_ones_first():
    """S-56: sequence order; an abandoned message is redelivered before later ones."""
    kit = BrokerKit()
    kit.send("q", "a", "b", "c")
    first = kit.taker.one()
    assert first.content.message_id == "a"
    kit.queue.settlement.abandon(first.token)
    assert ids(kit.taker.ask(9)) == ["a", "b", "c"]


def test_several_abandoned_messages_keep_their_order():
    """S-56: whatever the order of giving back, sequence numbers decide."""
    kit = BrokerKit()
    kit.send("q", "a", "b", "c", "d")
    a, b, c = kit.taker.ask(3)
    for message in (c, a, b):
        kit.queue.settlement.abandon(message.token)
    assert ids(kit.taker.ask(9)) == ["a", "b", "c", "d"]


def test_receivers_take_turns():
    """Waiting receivers are woken directly, one message each in turn."""
    kit = BrokerKit()
    one, two = Receiver(kit.queue, name="1"), Receiver(kit.queue, name="2")
    one.ask(5), two.ask(5)
    kit.send("q", "a", "b", "c", "d")
    assert ids(one.got) == ["a", "c"]
    assert ids(two.got) == ["b", "d"]


def test_receive_and_delete_forgets_at_once():
    """S-40: receive-and-delete removes the message when it is sent, without a lock."""
    kit = BrokerKit()
    taker = Receiver(kit.queue, peek_lock=False)
    kit.send("q", "a")
    assert taker.ask()[0].token == b""
    assert kit.queue.peek(0, 9) == []
    assert kit.story() == [("enqueued", "a"), ("received_and_deleted", "a")]


def test_complete_removes_and_only_once():
    """S-42, S-44: accepted removes the message; a second settlement has lost its lock."""
    kit = BrokerKit()
    kit.send("q", "a")
    message = kit.taker.one()
    kit.queue.settlement.complete(message.token)
    with pytest.raises(MessageLockLost):
        kit.queue.settlement.complete(message.token)
    assert kit.queue.log.size_in_bytes == 0


def test_abandon_counts_and_modifies():
    """S-42, S-49: abandon adds one to the delivery count and merges the properties to modify."""
    kit = BrokerKit()
    kit.send("q", "a")
    kit.queue.settlement.abandon(kit.taker.one().token, {"tried": True})
    again = kit.taker.one()
    assert again.delivery_count == 1
    assert again.content.application_properties() == {"tried": True}
    assert kit.entries("delivered")[-1].message.delivery == 2


def test_release_does_not_count():
    """S-42: released unlocks without adding to the delivery count."""
    kit = BrokerKit()
    kit.send("q", "a")
    kit.queue.settlement.release(kit.taker.one().token)
    assert kit.taker.one().delivery_count == 0


def test_max_delivery_count_dead_letters():
    """S-49: after the last allowed delivery fails the message goes to the DLQ with Service Bus's reason and words."""
    kit = BrokerKit(max_delivery_count=3)
    kit.send("q", "a")
    for _ in range(3):
        kit.queue.settlement.abandon(kit.taker.one().token)
    assert kit.taker.ask() == []
    entry = kit.entries("dead_lettered")[-1]
    assert (entry.reason, entry.message.delivery) == ("MaxDeliveryCountExceeded", 3)
    assert entry.details["description"] == "Message could not be consumed after 3 delivery attempts."
    dead = kit.dead_taker.one()
    assert dead.content.application_properties()["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert dead.delivery_count == 3


def test_lock_expiry_counts_and_returns_the_message():
    """S-46, S-49: a lock that runs out brings the message back, counted; the old token is worth nothing."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a")
    message = kit.taker.one()
    token = message.token
    kit.advance(4.9)
    assert kit.taker.ask() == []
    kit.taker.credit = 0
    kit.advance(0.2)
    with pytest.raises(MessageLockLost):
        kit.queue.settlement.complete(token)
    assert kit.taker.one().delivery_count == 1
    assert ("lock_expired", "a") in kit.story()


def test_lock_is_lost_by_the_clock_not_by_the_timer():
    """S-44: a settlement that comes after the expiry is refused even when no timer has run yet."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a")
    token = kit.taker.one().token
    kit.clock.advance(5.0)
    with pytest.raises(MessageLockLost):
        kit.queue.settlement.complete(token)


def test_lock_outlives_its_receiver():
    """S-46: a receiver that goes does not unlock; the token still settles, and only expiry brings the message back."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a", "b")
    a, _b = kit.taker.ask(2)
    kit.queue.dispatch.remove(kit.taker)
    other = Receiver(kit.queue, name="other")
    assert other.ask() == []
    kit.queue.settlement.complete(a.token)
    kit.advance(5)
    assert ids(other.got) == ["b"]


def test_lock_expiry_reaches_a_waiting_receiver():
    """S-46: when a lock runs out, a receiver that waits gets the message at once."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a")
    kit.taker.one()
    waiting = Receiver(kit.queue, name="waiting")
    waiting.ask()
    kit.advance(5)
    assert [m.delivery_count for m in waiting.got] == [1]


def test_renew_gives_a_full_duration():
    """S-47: renew sets locked-until to now + lock duration; an expired lock cannot be renewed."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a")
    token = kit.taker.one().token
    kit.advance(4)
    assert kit.queue.settlement.renew(token) == kit.clock.now() + 5
    kit.advance(4)
    assert kit.queue.settlement.locked(token)
    kit.advance(1)
    with pytest.raises(MessageLockLost):
        kit.queue.settlement.renew(token)


def test_renewed_locks_do_not_hold_others_up():
    """S-47: the expiry of a later lock is seen though an earlier one was renewed past it."""
    kit = BrokerKit(lock_duration=5)
    kit.send("q", "a", "b")
    a, _b = kit.taker.ask(2)
    kit.taker.credit = 0
    kit.advance(3)
    kit.queue.settlement.renew(a.token)
    kit.advance(2)
    assert kit.story()[-1] == ("lock_expired", "b")
    assert kit.queue.settlement.locked(a.token)


def test_dead_lettering_by_a_receiver():
    """S-33, S-42, S-51: reason, description and more properties; a new number in the DLQ, with its origin."""
    kit = BrokerKit()
    kit.send("q", "x", "a")
    _x, a = kit.taker.ask(2)
    kit.queue.settlement.dead_letter(a.token, "why", "words", {"k": 1})
    dead = kit.dead_taker.one()
    assert dead.content.application_properties() == {
        "DeadLetterReason": "why",
        "DeadLetterErrorDescription": "words",
        "k": 1,
    }
    assert (dead.sequence, dead.origin) == (1, 2)
    entries = kit.namespace.ledger.entries()
    (arrival,) = [e for e in entries if e.entity == "q/$deadletterqueue" and e.event == "enqueued"]
    assert arrival.details["dead_letter_source"] == 2


def test_a_dead_letter_queue_takes_nothing_and_keeps_everything():
    """S-50, S-51: no sending to a DLQ, no dead-lettering out of it, no expiry and no maximum of deliveries in it."""
    kit = BrokerKit(max_delivery_count=1, lock_duration=1)
    kit.send("q", "a", time_to_live=1000)
    kit.queue.settlement.dead_letter(kit.taker.one().token)
    with pytest.raises(NotAllowed):
        kit.send("q/$DeadLetterQueue", "m")
    message = kit.dead_taker.one()
    with pytest.raises(NotAllowed):
        kit.dead.settlement.dead_letter(message.token, "again")
    for _ in range(3):
        kit.dead.settlement.abandon(message.token)
        message = kit.dead_taker.one()
    kit.advance(100_000)
    assert kit.dead_taker.one().content.message_id == "a"


def test_each_lock_lives_as_long_as_its_own_duration():
    """S-46: one that was made before the entity's lock duration became shorter does not hold the others up."""
    kit = BrokerKit(lock_duration=300)
    kit.send("q", "long", "short")
    kit.taker.one()
    kit.namespace.reconfigure(kit.queue, Queue(lock_duration=5))
    kit.taker.one()
    kit.advance(5)
    short = kit.taker.one()
    assert short.content.message_id == "short"
    kit.queue.settlement.complete(short.token)
    kit.advance(294)
    assert kit.taker.take() == []
    kit.advance(1)
    assert ids(kit.taker.take()) == ["long"]


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "renew", "wait"]), st.integers(0, 9)), max_size=60))
def test_locks_end_in_the_order_of_their_moments(steps):
    """Whatever was added, removed and prolonged in between, each lock ends at its own moment, and is forgotten then."""
    table, held, now = LockTable(), {}, 0
    for number, (step, pick) in enumerate(steps):
        chosen = list(held)[pick % len(held)] if held else None
        if step == "add":
            held[number] = SimpleNamespace(key=number, locked_until=now + pick + 1)
            table.add(number, held[number])
        elif step == "remove" and chosen is not None:
            assert table.remove(chosen) is held.pop(chosen)
        elif step == "renew" and chosen is not None:
            held[chosen].locked_until = now + pick + 1
            table.add(chosen, held[chosen])
        now += pick if step == "wait" else 0
        over = sorted(lock.locked_until for lock in held.values() if lock.locked_until <= now)
        ended = []
        while (lock := table.pop_due(now)) is not None:
            ended.append(held.pop(lock.key).locked_until)
        assert ended == over
        assert table.next_due() == min((lock.locked_until for lock in held.values()), default=float("inf"))
        assert len(table) == len(held)
