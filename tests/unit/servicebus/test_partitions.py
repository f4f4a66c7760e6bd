"""Partitioned entities: numbers, keys and limits (S-28, S-53, S-57, S-86)."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue, Subscription, Topic
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.errors import MessageNotFound, NotAllowed
from peeklock.servicebus.broker.partitions import COUNT
from peeklock.servicebus.broker.sequence import PartitionedIndex, SequenceIndex

from .taker import Taker


def message(message_id="m", key=None, **options):
    annotations = {} if key is None else {"x-opt-partition-key": key}
    return Envelope(OutgoingMessage(b"x", message_id=message_id, annotations=annotations, **options).encode())


class Bench:
    def __init__(self, **settings):
        self.clock = ManualClock()
        queues = {"q": Queue(partitioned=True, **settings), "plain": Queue()}
        topics = {"t": Topic(partitioned=True, subscriptions={"s": Subscription()})}
        self.namespace = Namespace("ns", queues, self.clock, topics=topics)
        self.queue = self["q"]

    def __getitem__(self, path):
        return self.namespace.entity(path)

    def held(self, path="q"):
        return [m.content.message_id for m in self[path].peek(0, 10_000)]


def partition(found):
    return found.sequence >> 48


def test_the_top_16_bits_are_the_partition():
    """S-53: without a key one partition after the other; numbers go up within each, and are told as x-opt-partition-id."""
    bench = Bench()
    for number in range(40):
        bench.queue.send([message(f"m{number}")])
    found = bench.queue.peek(0, 100)
    assert {partition(m) for m in found} == set(range(COUNT))
    for one in range(COUNT):
        numbers = [m.sequence for m in found if partition(m) == one]
        assert numbers == sorted(numbers)
    assert [m.content.partition_id for m in found] == [partition(m) for m in found]
    assert b"x-opt-partition-id\x61" in found[0].content.wire(1, 0.0, 0, 0)


def test_a_key_decides():
    """S-53, S-57: the session id, else the partition key, else, with duplicate detection, the message-id."""
    bench = Bench(duplicate_detection_window=60)
    same = [bench.queue.send([message(f"k{n}", key="blue")]) for n in range(8)]
    assert len(same) == 8
    assert len({partition(m) for m in bench.queue.peek(0, 99)}) == 1
    by_id = [Bench(duplicate_detection_window=60) for _ in range(2)]
    for other in by_id:
        other.queue.send([message("one-id")])
    assert by_id[0].queue.peek(0, 1)[0].sequence == by_id[1].queue.peek(0, 1)[0].sequence
    sessions = Bench(requires_session=True)
    for number in range(4):
        sessions.queue.send([message(f"s{number}", session_id="x")])
    assert len({partition(m) for m in sessions.queue.peek(0, 9)}) == 1


def test_order_is_that_of_arrival():
    """S-53, S-56: receivers get what came first, also after an abandon; a peek goes on where it stopped."""
    bench = Bench()
    names = [f"m{number}" for number in range(40)]
    for name in names:
        bench.queue.send([message(name, key=name)])
    taker = Taker(bench.queue)
    first = taker.some(3)
    for found in reversed(first):
        bench.queue.abandon(found.token)
    assert [m.content.message_id for m in taker.some(40)] == names
    seen, start = [], 0
    while page := bench.queue.peek(start, 7):
        seen += [m.content.message_id for m in page]
        start = page[-1].sequence + 1
    assert seen == names


def test_messages_are_found_by_their_numbers():
    """S-48, S-54: deferred and scheduled ones, by the whole number and no other."""
    bench = Bench()
    taker = Taker(bench.queue)
    bench.queue.send([message("a", key="k")])
    (found,) = taker.some()
    bench.queue.defer(found.token)
    with pytest.raises(MessageNotFound):
        bench.queue.receive_deferred([found.sequence ^ 1 << 48], None, peek_lock=False)
    assert bench.queue.receive_deferred([found.sequence], None, peek_lock=False) == [found]
    later = message("b", key="k")
    later.scheduled_at = bench.clock.now() + 60
    (number,) = bench.queue.schedule([later])
    assert number >> 48 == partition(found)
    bench.queue.cancel([number])
    assert bench.held() == []


def test_duplicates_have_one_key_too():
    """S-57: on a partitioned entity the same message-id under another partition key is another message."""
    bench = Bench(duplicate_detection_window=60)
    for key in ("a", "b", "a", None, None):
        bench.queue.send([message("id", key=key)])
    assert bench.held() == ["id", "id", "id"]
    plain = Namespace("ns", {"q": Queue(duplicate_detection_window=60)}, ManualClock()).entity("q")
    for key in ("a", "b"):
        plain.send([message("id", key=key)])
    assert plain.active == 1


def test_one_key_for_each_batch_and_transaction():
    """S-53, S-65: all messages of a batch, or of a transaction, go to one partition."""
    bench = Bench()
    bench.queue.send([message("a", key="k"), message("b", key="k")])
    bench.queue.send([message("c"), message("d")])
    with pytest.raises(NotAllowed, match="one partition key"):
        bench.queue.send([message("e", key="k"), message("f", key="l")])
    with pytest.raises(NotAllowed):
        bench.queue.send([message("e", key="k"), message("f")])
    connection = object()
    transaction = bench.namespace.transactions.declare(connection, connection)
    transaction.send(bench.queue, [message("g", key="k")])
    with pytest.raises(NotAllowed):
        transaction.send(bench.queue, [message("h", key="l")])
    bench.namespace.transactions.discharge(transaction.id, connection, fail=False)
    assert bench.held() == ["a", "b", "c", "d", "g"]


def test_a_message_stays_in_its_partition_inside_of_an_entity():
    """S-53: copies of a topic, and dead letters, have the partition of the message; another entity has its own."""
    bench = Bench()
    for number in range(20):
        bench["t"].send([message(f"m{number}")])
    copies = bench["t/Subscriptions/s"].peek(0, 99)
    assert [partition(m) for m in copies] == [m.origin >> 48 for m in copies]
    taker = Taker(bench["t/Subscriptions/s"])
    for found in taker.some(20):
        bench["t/Subscriptions/s"].dead_letter(found.token)
    dead = bench["t/Subscriptions/s/$DeadLetterQueue"].peek(0, 99)
    assert [partition(m) for m in dead] == [m.origin >> 48 for m in dead]
    assert len({partition(m) for m in dead}) == COUNT


def test_what_is_forwarded_leaves_its_partition():
    """S-53, S-67: a target without partitions numbers as it always does, and tells of none."""
    queues = {"from": Queue(partitioned=True, forward_to="to"), "to": Queue()}
    namespace = Namespace("ns", queues, ManualClock())
    namespace.entity("from").send([message(key="k")])
    (found,) = namespace.entity("to").peek(0, 9)
    assert (found.sequence, found.content.partition_id) == (1, None)


def test_senders_do_not_choose_a_partition():
    """S-32: x-opt-partition-id is the broker's; a sender's own is dropped."""
    raw = OutgoingMessage(b"x", annotations={"x-opt-partition-id": 7, "x-opt-partition-key": "k"}).encode()
    content = Envelope(raw)
    assert (content.partition_id, content.partition_key) == (None, "k")


def test_sixteen_times_the_size():
    """S-86: the quota is that of all partitions; purged and refilled it is partitioned still."""
    bench = Bench(max_size_in_megabytes=1)
    bench.queue.size_in_bytes = (16 << 20) - 1_000
    bench.queue.send([message(key="k")])
    bench.queue.purge()
    bench.queue.send([message(key="k")])
    assert isinstance(bench.queue._index, PartitionedIndex)
    assert type(bench["plain"]._index) is SequenceIndex
    assert bench["plain"].partitions is None


def test_the_way_through_an_entity_has_a_key_of_its_own():
    """S-17, S-32: x-opt-via-partition-key chooses the partition of the via entity, the partition key that of the target."""
    queues = {"via": Queue(partitioned=True), "to": Queue(partitioned=True)}
    namespace = Namespace("ns", queues, ManualClock())
    way = namespace.transfer(namespace.entity("via"), "to")

    def keyed(via, key):
        annotations = {"x-opt-via-partition-key": via, "x-opt-partition-key": key}
        return Envelope(OutgoingMessage(b"x", annotations=annotations).encode())

    way.send([keyed("v", "a"), keyed("v", "b"), keyed("v", "c")])
    found = namespace.entity("to").peek(0, 9)
    assert len({m.origin >> 48 for m in found}) == 1
    assert len({partition(m) for m in found}) > 1
    with pytest.raises(NotAllowed, match="one partition key"):
        way.send([keyed("v", "a"), keyed("w", "a")])
