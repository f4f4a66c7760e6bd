"""Transactions in the broker: all of it or nothing, with a clock that is moved by hand (S-74, S-75)."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, Queue, Subscription, Topic
from peeklock.servicebus.broker.errors import (
    EntityDisabled,
    EntityNotFound,
    MessageLockLost,
    MessageTooLarge,
    NotAllowed,
    QuotaExceeded,
)
from peeklock.servicebus.broker.transaction import MAX_OPEN, TIMEOUT, RolledBack, UnknownTransaction, top_level

from .kit import BrokerKit, message

SPAN = "Local transactions cannot span multiple top-level entities such as queue or topic."
UNKNOWN = "Transaction hasn't been declared yet, or has already been discharged."


class HastyClock(ManualClock):
    """It goes on by so many seconds each time somebody looks at it."""

    __slots__ = ("haste",)

    def __init__(self):
        super().__init__()
        self.haste = 0

    def now(self):
        self.time += self.haste
        return self.time


def transacted(clock=None, **settings):
    """A kit with queues `q` and `other`, and a topic `t` with subscriptions `s` and `u`."""
    queues = {"q": Queue(**settings), "other": Queue(max_message_size_in_kilobytes=1, max_size_in_megabytes=1)}
    return BrokerKit(queues, {"t": Topic(subscriptions={"s": Subscription(), "u": Subscription()})}, clock=clock)


@pytest.fixture
def kit():
    return transacted()


def test_nothing_is_seen_before_the_commit_and_all_of_it_after(kit):
    """S-74, S-75: sends and settlements of one entity happen together, in the order in which they were posted."""
    kit["q"].send([message("done"), message("later"), message("bad"), message("again")])
    tokens = [kit.lock("q") for _ in range(4)]
    transaction = kit.declare()
    transaction.send(kit["q"], [message("new1")])
    at = transaction.at(kit["q"])
    at.complete(tokens[0])
    at.defer(tokens[1], {"why": "later"})
    at.dead_letter(tokens[2], "Broken", "it is")
    at.abandon(tokens[3])
    transaction.send(kit["q"], [message("new2")])
    assert kit.held("q") == ["done", "later", "bad", "again"]
    assert kit["q"].log.locked == 4
    kit.discharge(transaction)
    assert kit.held("q") == ["later", "again", "new1", "new2"]
    assert (kit["q"].log.deferred, kit["q"].log.active, kit["q"].log.locked) == (1, 3, 0)
    (dead,) = kit["q/$DeadLetterQueue"].peek(0, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == "Broken"
    (told,) = kit.entries("transaction_committed")
    assert (told.entity, told.details) == ("q", {"transaction": transaction.id.hex(), "messages": 6})


def test_a_rollback_leaves_everything_and_its_locks_as_they_were(kit):
    """S-74: with fail nothing happens; the received messages stay locked, and can be settled outside."""
    kit["q"].send([message("m")])
    token = kit.lock("q")
    transaction = kit.declare()
    transaction.send(kit["q"], [message("new")])
    transaction.at(kit["q"]).complete(token)
    kit.discharge(transaction, fail=True)
    assert kit.held("q") == ["m"]
    assert kit["q"].log.locked == 1
    kit["q"].settlement.complete(token)
    (told,) = kit.entries("transaction_rolled_back")
    assert told.reason == "it was discharged as failed"


def test_an_id_is_good_once_and_only_on_its_connection(kit):
    """S-75: an unknown id is refused in the service's words: never declared, discharged, or of somebody else."""
    transaction = kit.declare()
    with pytest.raises(UnknownTransaction) as refused:
        kit.discharge(transaction, connection=object())
    assert (refused.value.condition, refused.value.description) == ("amqp:transaction:unknown-id", UNKNOWN)
    kit.discharge(transaction)
    with pytest.raises(UnknownTransaction):
        kit.discharge(transaction)
    with pytest.raises(UnknownTransaction):
        kit.namespace.transactions.get(b"never", kit.connection)


def test_two_minutes_roll_back(kit):
    """S-74: by the injected clock, and what it had claimed is free again."""
    kit["q"].send([message("m")])
    token = kit.lock("q")
    transaction = kit.declare()
    transaction.at(kit["q"]).complete(token)
    kit.advance(30)
    young = kit.declare()
    assert len(kit.namespace.transactions) == 2
    kit["q"].settlement.renew(token)
    kit.advance(25)
    kit["q"].settlement.renew(token)
    kit.advance(59)
    kit["q"].settlement.renew(token)
    kit.advance(TIMEOUT - 30 - 25 - 59)
    (told,) = kit.entries("transaction_rolled_back")
    assert "120 s" in told.reason
    with pytest.raises(UnknownTransaction):
        kit.discharge(transaction)
    young.at(kit["q"]).complete(token)
    kit.discharge(young)
    assert kit.held("q") == []


def test_a_coordinator_link_that_closes_rolls_its_transactions_back(kit):
    """S-74: those that were declared through it, and no others."""
    mine, kept = kit.declare(), kit.namespace.transactions.declare(kit.connection, "another link")
    mine.send(kit["q"], [message("m")])
    kit.namespace.transactions.abort(kit.connection, kit)
    with pytest.raises(UnknownTransaction):
        kit.discharge(mine)
    kit.discharge(kept)
    assert kit.held("q") == []


def test_a_lock_that_was_lost_rolls_all_of_it_back(kit):
    """S-75: amqp:transaction:rollback, and neither the sends nor the other settlements happen."""
    kit["q"].send([message("kept"), message("lost")])
    kept, lost = kit.lock("q"), kit.lock("q")
    transaction = kit.declare()
    transaction.send(kit["q"], [message("new")])
    transaction.at(kit["q"]).complete(kept)
    transaction.at(kit["q"]).complete(lost)
    kit.advance(40)
    kit["q"].settlement.renew(kept)
    kit.advance(30)
    with pytest.raises(RolledBack) as refused:
        kit.discharge(transaction)
    assert refused.value.condition == "amqp:transaction:rollback"
    assert "The lock supplied is invalid" in refused.value.description
    assert kit.held("q") == ["kept", "lost"]
    assert kit["q"].log.locked == 1


def test_what_was_settled_outside_meanwhile_rolls_back(kit):
    """S-75: the commit finds a message gone."""
    kit["q"].send([message("m")])
    token = kit.lock("q")
    transaction = kit.declare()
    transaction.at(kit["q"]).abandon(token)
    kit["q"].settlement.complete(token)
    with pytest.raises(RolledBack):
        kit.discharge(transaction)


def test_locks_outlast_the_commit_itself():
    """S-75: a clock that goes on while the commit is at work does not end a lock half-way through it."""
    kit = transacted(clock=HastyClock())
    kit["q"].send([message("m"), message("n")])
    tokens = [kit.lock("q"), kit.lock("q")]
    transaction = kit.declare()
    for token in tokens:
        transaction.at(kit["q"]).complete(token)
    kit.clock.haste = 15  # of 60 the lock has
    kit.discharge(transaction)
    assert kit.held("q") == []


def test_a_message_is_settled_in_one_transaction_only(kit):
    """S-75: a second settlement of it finds no lock, in the same transaction or in another one."""
    kit["q"].send([message("m")])
    token = kit.lock("q")
    first, second = kit.declare(), kit.declare()
    first.at(kit["q"]).complete(token)
    for other in (first, second):
        with pytest.raises(MessageLockLost):
            other.at(kit["q"]).abandon(token)
    kit.discharge(first, fail=True)
    second.at(kit["q"]).complete(token)
    kit.discharge(second)
    assert kit.held("q") == []


def test_what_cannot_happen_is_refused_when_it_is_posted(kit):
    """S-75: the same refusals as outside, and the transaction goes on without it."""
    transaction = kit.declare()
    with pytest.raises(MessageTooLarge):
        transaction.send(kit["other"], [message(size=2_000)])
    with pytest.raises(MessageLockLost):
        transaction.at(kit["other"]).complete(b"\0" * 16)
    with pytest.raises(NotAllowed):
        transaction.at(kit["other/$DeadLetterQueue"]).dead_letter(b"\0" * 16)
    transaction.send(kit["other"], [message("fits")])
    kit.discharge(transaction)
    assert kit.held("other") == ["fits"]


def test_quota_counts_all_that_was_posted(kit):
    """S-66, S-75: what fits one by one and not together is refused before the commit."""
    transaction = kit.declare()
    kit["other"].log.size_in_bytes = (1 << 20) - 600
    transaction.send(kit["other"], [message("a", size=300)])
    with pytest.raises(QuotaExceeded):
        transaction.send(kit["other"], [message("b", size=400)])
    kit["other"].log.size_in_bytes = 1 << 20
    with pytest.raises(RolledBack, match="maximum entity size"):
        kit.discharge(transaction)


def test_one_top_level_entity(kit):
    """S-75: a topic with its subscriptions and dead-letter queues is one; anything else is refused in its words."""
    kit["t"].send([message("m")])
    s, u = kit.lock("t/Subscriptions/s"), kit.lock("t/Subscriptions/u")
    transaction = kit.declare()
    transaction.at(kit["t/Subscriptions/s"]).dead_letter(s)
    transaction.at(kit["t/Subscriptions/u"]).complete(u)
    transaction.send(kit["T"], [message("n")])
    with pytest.raises(NotAllowed) as refused:
        transaction.send(kit["q"], [message("far")])
    assert refused.value.description == SPAN
    kit.discharge(transaction)
    assert kit.held("t/subscriptions/s") == kit.held("t/subscriptions/u") == ["n"]
    assert kit.held("t/subscriptions/s/$DeadLetterQueue") == ["m"]
    assert top_level("T/Subscriptions/S/$DeadLetterQueue") == "t"
    assert top_level("a/b/$Transfer/$DeadLetterQueue") == "a/b"


def test_at_most_a_hundred_messages(kit):
    """S-75, docs:service-bus-quotas: in the words of the quota."""
    transaction = kit.declare()
    for _ in range(10):
        transaction.send(kit["q"], [message() for _ in range(10)])
    with pytest.raises(QuotaExceeded, match="Cannot send more than 100 messages in a single transaction"):
        transaction.send(kit["q"], [message()])
    kit.discharge(transaction)
    assert len(kit.held("q")) == 100


def test_open_transactions_are_limited_per_connection(kit):
    """A client that declares for ever is stopped; the others are not."""
    for _ in range(MAX_OPEN):
        kit.declare()
    with pytest.raises(QuotaExceeded):
        kit.declare()
    kit.namespace.transactions.declare(object(), kit)


def test_schedule_tells_its_number_before_the_commit(kit):
    """S-54, S-75: the number is reserved; a rollback leaves a gap, and later messages keep theirs."""
    transaction = kit.declare()
    later = message("later")
    later.scheduled_at = kit.clock.now() + 60
    (number,) = transaction.schedule(kit["q"], [later])
    kit["q"].send([message("between")])
    assert kit.held("q") == ["between"]
    kit.discharge(transaction)
    assert kit.held("q") == ["later", "between"]
    kit["q"].intake.cancel([number])
    transaction = kit.declare()
    transaction.schedule(kit["q"], [later])
    kit.discharge(transaction, fail=True)
    kit["q"].send([message("after")])
    assert kit.held("q") == ["between", "after"]
    kit.advance(61)
    assert kit.held("q") == ["between", "after"]


def test_renew_is_told_at_once_and_not_taken_back(kit):
    """S-75: renew belongs to a transaction: not of another entity; what the client was told stays true."""
    kit["q"].send([message("m")])
    token = kit.lock("q")
    transaction = kit.declare()
    kit.clock.advance(50)
    until = transaction.at(kit["q"]).renew(token)
    assert until == kit.clock.now() + 60
    with pytest.raises(NotAllowed):
        transaction.send(kit["other"], [message()])
    kit.discharge(transaction, fail=True)
    kit.advance(59)
    kit["q"].settlement.complete(token)


def test_an_entity_that_was_deleted_rolls_back(kit):
    """S-75: its messages are not sent into nothing, nor into a namesake."""
    transaction = kit.declare()
    transaction.send(kit["q"], [message("m")])
    settings = kit["q"].settings
    kit.namespace.remove(kit["q"])
    kit.namespace.add_queue("q", settings)
    with pytest.raises(EntityNotFound):
        kit.discharge(transaction)
    assert kit.held("q") == []


def test_reset_rolls_back(kit):
    """After a reset nothing of before comes into the namespace any more."""
    transaction = kit.declare()
    transaction.send(kit["q"], [message("m")])
    kit.namespace.reset()
    with pytest.raises(UnknownTransaction):
        kit.discharge(transaction)


# -- send-via


def test_via_reaches_another_entity_with_the_commit(kit):
    """S-17, S-75: complete here and send there, in one transaction; the number at the via entity is remembered."""
    kit["q"].send([message("in")])
    token = kit.lock("q")
    way = kit.namespace.transfer(kit["q"], "other")
    transaction = kit.declare()
    transaction.at(kit["q"]).complete(token)
    transaction.send(way, [message("out")])
    assert kit.held("other") == []
    kit.discharge(transaction)
    assert kit.held("q") == []
    (out,) = kit["other"].peek(0, 9)
    assert (out.content.message_id, out.sequence, out.origin, out.hops) == ("out", 1, 2, 1)
    (told,) = kit.entries("transferred")
    assert (told.entity, told.details["to"], told.message.sequence) == ("q", "other", 2)
    (entry,) = [e for e in kit.entries("enqueued") if e.entity == "other"]
    assert (entry.details["transferred_from"], entry.details["transferred_sequence"]) == ("q", 2)


@pytest.mark.parametrize(
    ("hinder", "reason"),
    [
        (lambda target: target.gate.set_status("SendDisabled"), "MessagingEntityDisabledException"),
        (lambda target: setattr(target.log, "size_in_bytes", 1 << 20), "QuotaExceededException"),
    ],
)
def test_what_the_destination_does_not_take_goes_to_the_transfer_dead_letters(kit, hinder, reason):
    """S-51, S-75: disabled or full: the message lies in `<via>/$Transfer/$DeadLetterQueue`, and the commit succeeds."""
    way = kit.namespace.transfer(kit["q"], "other")
    transaction = kit.declare()
    transaction.send(way, [message("out")])
    hinder(kit["other"])
    kit.discharge(transaction)
    (dead,) = kit["q/$Transfer/$DeadLetterQueue"].peek(0, 9)
    assert dead.content.application_properties()["DeadLetterReason"] == reason
    assert kit.held("other") == kit.held("q/$DeadLetterQueue") == []
    (told,) = kit.entries("transfer_dead_lettered")
    assert (told.entity, told.details["to"], told.reason) == ("q", "other", reason)


def test_a_destination_that_is_gone_is_not_found(kit):
    """S-75: when the message is posted, and at the commit, which then rolls everything back."""
    way = kit.namespace.transfer(kit["q"], "other")
    transaction = kit.declare()
    transaction.send(way, [message("out")])
    transaction.send(kit["q"], [message("here")])
    kit.namespace.remove(kit["other"])
    with pytest.raises(EntityNotFound):
        transaction.send(way, [message("late")])
    with pytest.raises(EntityNotFound):
        kit.discharge(transaction)
    with pytest.raises(EntityNotFound):
        way.send([message("out")])
    with pytest.raises(EntityNotFound):
        kit.namespace.transfer(kit["q"], "nowhere")
    assert kit.held("q") == kit.held("q/$Transfer/$DeadLetterQueue") == []


def test_too_long_for_the_destination_is_refused(kit):
    """S-75: neither the dead-letter queue nor the transfer dead-letter queue gets it."""
    way = kit.namespace.transfer(kit["q"], "other")
    with pytest.raises(MessageTooLarge):
        kit.declare().send(way, [message(size=2_000)])
    with pytest.raises(MessageTooLarge):
        way.send([message(size=2_000)])
    assert kit.held("q/$Transfer/$DeadLetterQueue") == kit.held("q/$DeadLetterQueue") == []


def test_via_works_without_a_transaction_and_needs_an_open_via_entity(kit):
    """S-17, S-77: each message goes on at once; a via entity that is disabled takes none."""
    way = kit.namespace.transfer(kit["q"], "t")
    way.send([message("a"), message("b")])
    assert kit.held("t/subscriptions/s") == ["a", "b"]
    kit["q"].gate.set_status("SendDisabled")
    with pytest.raises(EntityDisabled):
        way.send([message("c")])
