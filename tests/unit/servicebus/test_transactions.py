"""Transactions in the broker: all of it or nothing, with a clock that is moved by hand (S-74, S-75)."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, OutgoingMessage, Queue, Subscription, Topic
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.errors import (
    EntityDisabled,
    EntityNotFound,
    MessageLockLost,
    MessageTooLarge,
    NotAllowed,
    QuotaExceeded,
)
from peeklock.servicebus.broker.transaction import MAX_OPEN, TIMEOUT, RolledBack, UnknownTransaction, top_level

SPAN = "Local transactions cannot span multiple top-level entities such as queue or topic."
UNKNOWN = "Transaction hasn't been declared yet, or has already been discharged."


def message(message_id="m", size=1, **options):
    return Envelope(OutgoingMessage(b"x" * size, message_id=message_id, **options).encode())


class Bench:
    """Queues `q` and `other`, a topic `t` with subscriptions `s` and `u`; one connection."""

    def __init__(self, **settings):
        self.clock = ManualClock()
        topic = Topic(subscriptions={"s": Subscription(), "u": Subscription()})
        queues = {"q": Queue(**settings), "other": Queue(max_message_size_in_kilobytes=1, max_size_in_megabytes=1)}
        self.namespace = Namespace("ns", queues, self.clock, topics={"t": topic})
        self.connection = object()

    def __getitem__(self, path):
        return self.namespace.entity(path)

    def declare(self):
        return self.namespace.transactions.declare(self.connection, self)

    def discharge(self, transaction, *, fail=False, connection=None):
        self.namespace.transactions.discharge(transaction.id, connection or self.connection, fail=fail)

    def held(self, path):
        return [m.content.message_id for m in self[path].peek(0, 10_000)]

    def lock(self, path):
        """Lock the next message as a receiver would; return its token."""
        queue = self[path]
        found = queue.take_next(self.clock.now())
        queue._lock(found, "test", self.clock.now())
        return found.token

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.namespace.run_due()

    def events(self, name):
        return [e for e in self.namespace.ledger.entries() if e.event == name]


@pytest.fixture
def bench():
    return Bench()


def test_nothing_is_seen_before_the_commit_and_all_of_it_after(bench):
    """S-74, S-75: sends and settlements of one entity happen together, in the order in which they were posted."""
    bench["q"].send([message("done"), message("later"), message("bad"), message("again")])
    tokens = [bench.lock("q") for _ in range(4)]
    transaction = bench.declare()
    transaction.send(bench["q"], [message("new1")])
    at = transaction.at(bench["q"])
    at.complete(tokens[0])
    at.defer(tokens[1], {"why": "later"})
    at.dead_letter(tokens[2], "Broken", "it is")
    at.abandon(tokens[3])
    transaction.send(bench["q"], [message("new2")])
    assert bench.held("q") == ["done", "later", "bad", "again"]
    assert bench["q"].locked_count == 4
    bench.discharge(transaction)
    assert bench.held("q") == ["later", "again", "new1", "new2"]
    assert (bench["q"].deferred, bench["q"].active, bench["q"].locked_count) == (1, 3, 0)
    (dead,) = bench["q/$DeadLetterQueue"].peek(0, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == "Broken"
    (told,) = bench.events("transaction_committed")
    assert (told.entity, told.details) == ("q", {"transaction": transaction.id.hex(), "messages": 6})


def test_a_rollback_leaves_everything_and_its_locks_as_they_were(bench):
    """S-74: with fail nothing happens; the received messages stay locked, and can be settled outside."""
    bench["q"].send([message("m")])
    token = bench.lock("q")
    transaction = bench.declare()
    transaction.send(bench["q"], [message("new")])
    transaction.at(bench["q"]).complete(token)
    bench.discharge(transaction, fail=True)
    assert bench.held("q") == ["m"]
    assert bench["q"].locked_count == 1
    bench["q"].complete(token)
    (told,) = bench.events("transaction_rolled_back")
    assert told.reason == "it was discharged as failed"


def test_an_id_is_good_once_and_only_on_its_connection(bench):
    """S-75: an unknown id is refused in the service's words: never declared, discharged, or of somebody else."""
    transaction = bench.declare()
    with pytest.raises(UnknownTransaction) as refused:
        bench.discharge(transaction, connection=object())
    assert (refused.value.condition, refused.value.description) == ("amqp:transaction:unknown-id", UNKNOWN)
    bench.discharge(transaction)
    with pytest.raises(UnknownTransaction):
        bench.discharge(transaction)
    with pytest.raises(UnknownTransaction):
        bench.namespace.transactions.get(b"never", bench.connection)


def test_two_minutes_roll_back(bench):
    """S-74: by the injected clock, and what it had claimed is free again."""
    bench["q"].send([message("m")])
    token = bench.lock("q")
    transaction = bench.declare()
    transaction.at(bench["q"]).complete(token)
    bench.advance(30)
    young = bench.declare()
    assert len(bench.namespace.transactions) == 2
    bench["q"].renew(token)
    bench.advance(25)
    bench["q"].renew(token)
    bench.advance(59)
    bench["q"].renew(token)
    bench.advance(TIMEOUT - 30 - 25 - 59)
    (told,) = bench.events("transaction_rolled_back")
    assert "120 s" in told.reason
    with pytest.raises(UnknownTransaction):
        bench.discharge(transaction)
    young.at(bench["q"]).complete(token)
    bench.discharge(young)
    assert bench.held("q") == []


def test_a_coordinator_link_that_closes_rolls_its_transactions_back(bench):
    """S-74: those that were declared through it, and no others."""
    mine, kept = bench.declare(), bench.namespace.transactions.declare(bench.connection, "another link")
    mine.send(bench["q"], [message("m")])
    bench.namespace.transactions.abort(bench.connection, bench)
    with pytest.raises(UnknownTransaction):
        bench.discharge(mine)
    bench.discharge(kept)
    assert bench.held("q") == []


def test_a_lock_that_was_lost_rolls_all_of_it_back(bench):
    """S-75: amqp:transaction:rollback, and neither the sends nor the other settlements happen."""
    bench["q"].send([message("kept"), message("lost")])
    kept, lost = bench.lock("q"), bench.lock("q")
    transaction = bench.declare()
    transaction.send(bench["q"], [message("new")])
    transaction.at(bench["q"]).complete(kept)
    transaction.at(bench["q"]).complete(lost)
    bench.advance(40)
    bench["q"].renew(kept)
    bench.advance(30)
    with pytest.raises(RolledBack) as refused:
        bench.discharge(transaction)
    assert refused.value.condition == "amqp:transaction:rollback"
    assert "The lock supplied is invalid" in refused.value.description
    assert bench.held("q") == ["kept", "lost"]
    assert bench["q"].locked_count == 1


def test_what_was_settled_outside_meanwhile_rolls_back(bench):
    """S-75: the commit finds a message gone."""
    bench["q"].send([message("m")])
    token = bench.lock("q")
    transaction = bench.declare()
    transaction.at(bench["q"]).abandon(token)
    bench["q"].complete(token)
    with pytest.raises(RolledBack):
        bench.discharge(transaction)


def test_locks_outlast_the_commit_itself(bench):
    """S-75: a clock that goes on while the commit is at work does not end a lock half-way through it."""
    bench["q"].send([message("m"), message("n")])
    tokens = [bench.lock("q"), bench.lock("q")]
    transaction = bench.declare()
    for token in tokens:
        transaction.at(bench["q"]).complete(token)
    real, ticks = bench.clock.now, iter(range(1000))
    bench["q"]._now = lambda: real() + 20 * next(ticks)
    bench.discharge(transaction)
    assert bench.held("q") == []


def test_a_message_is_settled_in_one_transaction_only(bench):
    """S-75: a second settlement of it finds no lock, in the same transaction or in another one."""
    bench["q"].send([message("m")])
    token = bench.lock("q")
    first, second = bench.declare(), bench.declare()
    first.at(bench["q"]).complete(token)
    for other in (first, second):
        with pytest.raises(MessageLockLost):
            other.at(bench["q"]).abandon(token)
    bench.discharge(first, fail=True)
    second.at(bench["q"]).complete(token)
    bench.discharge(second)
    assert bench.held("q") == []


def test_what_cannot_happen_is_refused_when_it_is_posted(bench):
    """S-75: the same refusals as outside, and the transaction goes on without it."""
    transaction = bench.declare()
    with pytest.raises(MessageTooLarge):
        transaction.send(bench["other"], [message(size=2_000)])
    with pytest.raises(MessageLockLost):
        transaction.at(bench["other"]).complete(b"\0" * 16)
    with pytest.raises(NotAllowed):
        transaction.at(bench["other/$DeadLetterQueue"]).dead_letter(b"\0" * 16)
    transaction.send(bench["other"], [message("fits")])
    bench.discharge(transaction)
    assert bench.held("other") == ["fits"]


def test_quota_counts_all_that_was_posted(bench):
    """S-66, S-75: what fits one by one and not together is refused before the commit."""
    transaction = bench.declare()
    bench["other"].size_in_bytes = (1 << 20) - 600
    transaction.send(bench["other"], [message("a", size=300)])
    with pytest.raises(QuotaExceeded):
        transaction.send(bench["other"], [message("b", size=400)])
    bench["other"].size_in_bytes = 1 << 20
    with pytest.raises(RolledBack, match="maximum entity size"):
        bench.discharge(transaction)


def test_one_top_level_entity(bench):
    """S-75: a topic with its subscriptions and dead-letter queues is one; anything else is refused in its words."""
    bench["t"].send([message("m")])
    s, u = bench.lock("t/Subscriptions/s"), bench.lock("t/Subscriptions/u")
    transaction = bench.declare()
    transaction.at(bench["t/Subscriptions/s"]).dead_letter(s)
    transaction.at(bench["t/Subscriptions/u"]).complete(u)
    transaction.send(bench["T"], [message("n")])
    with pytest.raises(NotAllowed) as refused:
        transaction.send(bench["q"], [message("far")])
    assert refused.value.description == SPAN
    bench.discharge(transaction)
    assert bench.held("t/subscriptions/s") == bench.held("t/subscriptions/u") == ["n"]
    assert bench.held("t/subscriptions/s/$DeadLetterQueue") == ["m"]
    assert top_level("T/Subscriptions/S/$DeadLetterQueue") == "t"
    assert top_level("a/b/$Transfer/$DeadLetterQueue") == "a/b"


def test_at_most_a_hundred_messages(bench):
    """S-75, docs:service-bus-quotas: in the words of the quota."""
    transaction = bench.declare()
    for _ in range(10):
        transaction.send(bench["q"], [message() for _ in range(10)])
    with pytest.raises(QuotaExceeded, match="Cannot send more than 100 messages in a single transaction"):
        transaction.send(bench["q"], [message()])
    bench.discharge(transaction)
    assert len(bench.held("q")) == 100


def test_open_transactions_are_limited_per_connection(bench):
    """A client that declares for ever is stopped; the others are not."""
    for _ in range(MAX_OPEN):
        bench.declare()
    with pytest.raises(QuotaExceeded):
        bench.declare()
    bench.namespace.transactions.declare(object(), bench)


def test_schedule_tells_its_number_before_the_commit(bench):
    """S-54, S-75: the number is reserved; a rollback leaves a gap, and later messages keep theirs."""
    transaction = bench.declare()
    later = message("later")
    later.scheduled_at = bench.clock.now() + 60
    (number,) = transaction.schedule(bench["q"], [later])
    bench["q"].send([message("between")])
    assert bench.held("q") == ["between"]
    bench.discharge(transaction)
    assert bench.held("q") == ["later", "between"]
    bench["q"].cancel([number])
    transaction = bench.declare()
    transaction.schedule(bench["q"], [later])
    bench.discharge(transaction, fail=True)
    bench["q"].send([message("after")])
    assert bench.held("q") == ["between", "after"]
    bench.advance(61)
    assert bench.held("q") == ["between", "after"]


def test_renew_is_told_at_once_and_not_taken_back(bench):
    """S-75: renew belongs to a transaction: not of another entity; what the client was told stays true."""
    bench["q"].send([message("m")])
    token = bench.lock("q")
    transaction = bench.declare()
    bench.clock.advance(50)
    until = transaction.at(bench["q"]).renew(token)
    assert until == bench.clock.now() + 60
    with pytest.raises(NotAllowed):
        transaction.send(bench["other"], [message()])
    bench.discharge(transaction, fail=True)
    bench.advance(59)
    bench["q"].complete(token)


def test_an_entity_that_was_deleted_rolls_back(bench):
    """S-75: its messages are not sent into nothing, nor into a namesake."""
    transaction = bench.declare()
    transaction.send(bench["q"], [message("m")])
    settings = bench["q"].settings
    bench.namespace.remove(bench["q"])
    bench.namespace.add_queue("q", settings)
    with pytest.raises(EntityNotFound):
        bench.discharge(transaction)
    assert bench.held("q") == []


def test_reset_rolls_back(bench):
    """After a reset nothing of before comes into the namespace any more."""
    transaction = bench.declare()
    transaction.send(bench["q"], [message("m")])
    bench.namespace.reset()
    with pytest.raises(UnknownTransaction):
        bench.discharge(transaction)


# -- send-via


def test_via_reaches_another_entity_with_the_commit(bench):
    """S-17, S-75: complete here and send there, in one transaction; the number at the via entity is remembered."""
    bench["q"].send([message("in")])
    token = bench.lock("q")
    way = bench.namespace.transfer(bench["q"], "other")
    transaction = bench.declare()
    transaction.at(bench["q"]).complete(token)
    transaction.send(way, [message("out")])
    assert bench.held("other") == []
    bench.discharge(transaction)
    assert bench.held("q") == []
    (out,) = bench["other"].peek(0, 9)
    assert (out.content.message_id, out.sequence, out.origin, out.hops) == ("out", 1, 2, 1)
    (told,) = bench.events("transferred")
    assert (told.entity, told.details["to"], told.message.sequence) == ("q", "other", 2)
    (entry,) = [e for e in bench.events("enqueued") if e.entity == "other"]
    assert (entry.details["transferred_from"], entry.details["transferred_sequence"]) == ("q", 2)


@pytest.mark.parametrize(
    ("hinder", "reason"),
    [
        (lambda target: target.set_status("SendDisabled"), "MessagingEntityDisabledException"),
        (lambda target: setattr(target, "size_in_bytes", 1 << 20), "QuotaExceededException"),
    ],
)
def test_what_the_destination_does_not_take_goes_to_the_transfer_dead_letters(bench, hinder, reason):
    """S-51, S-75: disabled or full: the message lies in `<via>/$Transfer/$DeadLetterQueue`, and the commit succeeds."""
    way = bench.namespace.transfer(bench["q"], "other")
    transaction = bench.declare()
    transaction.send(way, [message("out")])
    hinder(bench["other"])
    bench.discharge(transaction)
    (dead,) = bench["q/$Transfer/$DeadLetterQueue"].peek(0, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == reason
    assert bench.held("other") == bench.held("q/$DeadLetterQueue") == []
    (told,) = bench.events("transfer_dead_lettered")
    assert (told.entity, told.details["to"], told.reason) == ("q", "other", reason)


def test_a_destination_that_is_gone_is_not_found(bench):
    """S-75: when the message is posted, and at the commit, which then rolls everything back."""
    way = bench.namespace.transfer(bench["q"], "other")
    transaction = bench.declare()
    transaction.send(way, [message("out")])
    transaction.send(bench["q"], [message("here")])
    bench.namespace.remove(bench["other"])
    with pytest.raises(EntityNotFound):
        transaction.send(way, [message("late")])
    with pytest.raises(EntityNotFound):
        bench.discharge(transaction)
    with pytest.raises(EntityNotFound):
        way.send([message("out")])
    with pytest.raises(EntityNotFound):
        bench.namespace.transfer(bench["q"], "nowhere")
    assert bench.held("q") == bench.held("q/$Transfer/$DeadLetterQueue") == []


def test_too_long_for_the_destination_is_refused(bench):
    """S-75: neither the dead-letter queue nor the transfer dead-letter queue gets it."""
    way = bench.namespace.transfer(bench["q"], "other")
    with pytest.raises(MessageTooLarge):
        bench.declare().send(way, [message(size=2_000)])
    with pytest.raises(MessageTooLarge):
        way.send([message(size=2_000)])
    assert bench.held("q/$Transfer/$DeadLetterQueue") == bench.held("q/$DeadLetterQueue") == []


def test_via_works_without_a_transaction_and_needs_an_open_via_entity(bench):
    """S-17, S-77: each message goes on at once; a via entity that is disabled takes none."""
    way = bench.namespace.transfer(bench["q"], "t")
    way.send([message("a"), message("b")])
    assert bench.held("t/subscriptions/s") == ["a", "b"]
    bench["q"].set_status("SendDisabled")
    with pytest.raises(EntityDisabled):
        way.send([message("c")])
