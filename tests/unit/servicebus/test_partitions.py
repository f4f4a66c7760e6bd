"""Partitioned entities: numbers, keys and limits (S-28, S-53, S-57, S-86)."""

from __future__ import annotations

import pytest

from peeklock.servicebus import OutgoingMessage, Queue, Subscription, Topic
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker.errors import MessageNotFound, NotAllowed
from peeklock.servicebus.broker.partitions import COUNT

from .kit import BrokerKit, Receiver, ids
from .kit import message as kit_message


def message(message_id="m", key=None, **options):
    annotations = {} if key is None else {"x-opt-partition-key": key}
    return kit_message(message_id, annotations=annotations, **options)


def partitioned(**settings):
    queues = {"q": Queue(partitioned=True, **settings), "plain": Queue()}
    return BrokerKit(queues, {"t": Topic(partitioned=True, subscriptions={"s": Subscription()})})


def partition(found):
    return found.sequence >> 48


def test_the_top_16_bits_are_the_partition():
    """S-53: without a key one partition after the other; numbers go up within each, and are told as x-opt-partition-id."""
    kit = partitioned()
    for number in range(40):
        kit.queue.send([message(f"m{number}")])
    found = kit.queue.peek(0, 100)
    assert {partition(m) for m in found} == set(range(COUNT))
    for one in range(COUNT):
        numbers = [m.sequence for m in found if partition(m) == one]
        assert numbers == sorted(numbers)
    assert [m.content.partition_id for m in found] == [partition(m) for m in found]
    assert b"x-opt-partition-id\x61" in found[0].content.wire(1, 0.0, 0, 0)


def test_a_key_decides():
    """S-53, S-57: the session id, else the partition key, else, with duplicate detection, the message-id."""
    kit = partitioned(duplicate_detection_window=60)
    same = [kit.queue.send([message(f"k{n}", key="blue")]) for n in range(8)]
    assert len(same) == 8
    assert len({partition(m) for m in kit.queue.peek(0, 99)}) == 1
    by_id = [partitioned(duplicate_detection_window=60) for _ in range(2)]
    for other in by_id:
        other.queue.send([message("one-id")])
    assert by_id[0].queue.peek(0, 1)[0].sequence == by_id[1].queue.peek(0, 1)[0].sequence
    sessions = partitioned(requires_session=True)
    for number in range(4):
        sessions.queue.send([message(f"s{number}", session_id="x")])
    assert len({partition(m) for m in sessions.queue.peek(0, 9)}) == 1


def test_order_is_that_of_arrival():
    """S-53, S-56: receivers get what came first, also after an abandon; a peek goes on where it stopped."""
    kit = partitioned()
    names = [f"m{number}" for number in range(40)]
    for name in names:
        kit.queue.send([message(name, key=name)])
    taker = Receiver(kit.queue)
    first = taker.take(3)
    for found in reversed(first):
        kit.queue.settlement.abandon(found.token)
    assert ids(taker.take(40)) == names
    seen, start = [], 0
    while page := kit.queue.peek(start, 7):
        seen += [m.content.message_id for m in page]
        start = page[-1].sequence + 1
    assert seen == names


def test_messages_are_found_by_their_numbers():
    """S-48, S-54: deferred and scheduled ones, by the whole number and no other."""
    kit = partitioned()
    taker = Receiver(kit.queue)
    kit.queue.send([message("a", key="k")])
    (found,) = taker.take()
    kit.queue.settlement.defer(found.token)
    with pytest.raises(MessageNotFound):
        kit.queue.receive_deferred([found.sequence ^ 1 << 48], None, peek_lock=False)
    assert kit.queue.receive_deferred([found.sequence], None, peek_lock=False) == [found]
    later = message("b", key="k")
    later.scheduled_at = kit.clock.now() + 60
    (number,) = kit.queue.intake.schedule([later])
    assert number >> 48 == partition(found)
    kit.queue.intake.cancel([number])
    assert kit.held() == []


def test_duplicates_have_one_key_too():
    """S-57: on a partitioned entity the same message-id under another partition key is another message."""
    kit = partitioned(duplicate_detection_window=60)
    for key in ("a", "b", "a", None, None):
        kit.queue.send([message("id", key=key)])
    assert kit.held() == ["id", "id", "id"]
    plain = BrokerKit(duplicate_detection_window=60).queue
    for key in ("a", "b"):
        plain.send([message("id", key=key)])
    assert plain.log.active == 1


def test_one_key_for_each_batch_and_transaction():
    """S-53, S-65: all messages of a batch, or of a transaction, go to one partition."""
    kit = partitioned()
    kit.queue.send([message("a", key="k"), message("b", key="k")])
    kit.queue.send([message("c"), message("d")])
    with pytest.raises(NotAllowed, match="one partition key"):
        kit.queue.send([message("e", key="k"), message("f", key="l")])
    with pytest.raises(NotAllowed):
        kit.queue.send([message("e", key="k"), message("f")])
    transaction = kit.declare()
    transaction.send(kit.queue, [message("g", key="k")])
    with pytest.raises(NotAllowed):
        transaction.send(kit.queue, [message("h", key="l")])
    kit.discharge(transaction)
    assert kit.held() == ["a", "b", "c", "d", "g"]


def test_where_duplicates_are_detected_the_message_id_is_the_key():
    """S-57: a batch of several ids and no key goes to several partitions: it is refused, and sent one by one it is taken."""
    kit = partitioned(duplicate_detection_window=60)
    with pytest.raises(NotAllowed, match="distinct SessionId, PartitionKey, or MessageId"):
        kit.queue.send([message("a"), message("b")])
    kit.queue.send([message("a", key="k"), message("b", key="k")])
    kit.queue.send([message("c")])
    kit.queue.send([message("d")])
    assert kit.held() == ["a", "b", "c", "d"]


def test_a_message_stays_in_its_partition_inside_of_an_entity():
    """S-53: copies of a topic, and dead letters, have the partition of the message; another entity has its own."""
    kit = partitioned()
    for number in range(20):
        kit["t"].send([message(f"m{number}")])
    copies = kit["t/Subscriptions/s"].peek(0, 99)
    assert [partition(m) for m in copies] == [m.origin >> 48 for m in copies]
    taker = Receiver(kit["t/Subscriptions/s"])
    for found in taker.take(20):
        kit["t/Subscriptions/s"].settlement.dead_letter(found.token)
    dead = kit["t/Subscriptions/s/$DeadLetterQueue"].peek(0, 99)
    assert [partition(m) for m in dead] == [m.origin >> 48 for m in dead]
    assert len({partition(m) for m in dead}) == COUNT


def test_what_is_forwarded_leaves_its_partition():
    """S-53, S-67: a target without partitions numbers as it always does, and tells of none."""
    queues = {"from": Queue(partitioned=True, forward_to="to"), "to": Queue()}
    kit = BrokerKit(queues)
    kit["from"].send([message(key="k")])
    (found,) = kit["to"].peek(0, 9)
    assert (found.sequence, found.content.partition_id) == (1, None)


def test_senders_do_not_choose_a_partition():
    """S-32: x-opt-partition-id is the broker's; a sender's own is dropped."""
    raw = OutgoingMessage(b"x", annotations={"x-opt-partition-id": 7, "x-opt-partition-key": "k"}).encode()
    content = Envelope(raw)
    assert (content.partition_id, content.partition_key) == (None, "k")


def test_sixteen_times_the_size():
    """S-86: the quota is that of all partitions; purged and refilled it is partitioned still."""
    kit = partitioned(max_size_in_megabytes=1)
    kit.queue.log.size_in_bytes = (16 << 20) - 1_000
    for _ in range(2):
        kit.queue.send([message(key="k")])
        (found,) = kit.queue.peek(0, 9)
        assert kit.queue.log.get(found.sequence) is found
        kit.queue.purge()
    assert kit["plain"].log.partitions is None


def test_the_way_through_an_entity_has_a_key_of_its_own():
    """S-17, S-32: x-opt-via-partition-key chooses the partition of the via entity, the partition key that of the target."""
    queues = {"via": Queue(partitioned=True), "to": Queue(partitioned=True)}
    kit = BrokerKit(queues)
    way = kit.namespace.transfer(kit["via"], "to")

    def keyed(via, key):
        annotations = {"x-opt-via-partition-key": via, "x-opt-partition-key": key}
        return Envelope(OutgoingMessage(b"x", annotations=annotations).encode())

    way.send([keyed("v", "a"), keyed("v", "b"), keyed("v", "c")])
    found = kit["to"].peek(0, 9)
    assert len({m.origin >> 48 for m in found}) == 1
    assert len({partition(m) for m in found}) > 1
    with pytest.raises(NotAllowed, match="one partition key"):
        way.send([keyed("v", "a"), keyed("w", "a")])
