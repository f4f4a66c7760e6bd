"""Message sessions by the rules of Service Bus, with a clock that is moved by hand."""

from __future__ import annotations

import gc

import pytest

from peeklock.servicebus import Queue
from peeklock.servicebus.broker.errors import (
    ArgumentError,
    MessageLockLost,
    NotAllowed,
    SessionCannotBeLocked,
    SessionLockLost,
)
from peeklock.servicebus.broker.session import DEFAULT_PATIENCE, MessageSession

from .kit import BrokerKit, ids, message


@pytest.fixture
def kit():
    return BrokerKit(requires_session=True, lock_duration=30, max_delivery_count=3)


def test_a_session_is_received_in_order_by_its_holder_alone(kit):
    """S-62: FIFO per session, and nothing of another session."""
    kit.send("q", "a1", "a2", session_id="a")
    kit.send("q", "b1", session_id="b")
    kit.send("q", "a3", session_id="a")
    holder = kit.accept("a")
    assert ids(holder.ask(10)) == ["a1", "a2", "a3"]
    kit.send("q", "b2", session_id="b")
    kit.send("q", "a4", session_id="a")
    assert holder.got[-1].content.message_id == "a4"
    assert len(holder.got) == 4


def test_sessions_are_received_in_parallel_on_different_links(kit):
    """S-62: several sessions at once."""
    kit.send("q", "a1", session_id="a")
    kit.send("q", "b1", session_id="b")
    first, second = kit.accept(name="1"), kit.accept(name="2")
    assert (first.session, second.session) == ("a", "b")
    assert (ids(first.ask(5)), ids(second.ask(5))) == (["a1"], ["b1"])


def test_a_held_session_cannot_be_locked_by_another(kit):
    """S-59: session-cannot-be-locked, until the holder leaves."""
    holder = kit.accept("s")
    with pytest.raises(SessionCannotBeLocked):
        kit.accept("s", "other")
    holder.close()
    assert kit.accept("s", "other").session == "s"


@pytest.mark.parametrize("name", ["never-seen", ""])
def test_a_session_that_nobody_has_heard_of_can_be_accepted(kit, name):
    """S-58, S-59: any id will do, the empty one too."""
    holder = kit.accept(name)
    assert holder.session == name
    assert holder.until == kit.clock.now() + 30


def test_who_waits_gets_the_next_session_that_has_a_message(kit):
    """S-59: in the order in which they came."""
    first, second = kit.accept(name="1", credit=9), kit.accept(name="2", credit=9)
    assert first.session is second.session is None
    kit.send("q", "x", session_id="x")
    assert (first.session, second.session) == ("x", None)
    kit.send("q", "x2", session_id="x")
    assert second.session is None
    kit.send("q", "y", session_id="y")
    assert second.session == "y"


def test_a_session_that_becomes_free_goes_to_who_waits(kit):
    """S-59, S-62: closing frees the session at once."""
    kit.send("q", "m1", session_id="s")
    holder = kit.accept("s")
    waiting = kit.accept(name="2")
    assert waiting.session is None
    holder.close()
    assert waiting.session == "s"


def test_waiting_ends_with_a_timeout_and_not_before(kit):
    """S-59: 65 s unless the client says otherwise; each by its own."""
    patient, hasty = kit.accept(name="1"), kit.accept(name="2", patience=2.0)
    kit.advance(1.9)
    assert hasty.refused is None
    kit.advance(0.2)
    assert hasty.refused.condition == "com.microsoft:timeout"
    kit.advance(DEFAULT_PATIENCE - 2.2)
    assert patient.refused is None
    kit.advance(0.2)
    assert patient.refused.status == 408
    kit.send("q", "late", session_id="s")
    assert patient.session is hasty.session is None


def test_who_gave_up_is_never_answered(kit):
    """S-59: a receiver that left while it waited gets no session, and none is lost to it."""
    gone = kit.accept(name="1")
    gone.close()
    kit.send("q", "m1", session_id="s")
    assert gone.session is None
    assert kit.accept().session == "s"
    kit.advance(100)
    assert gone.refused is None


def test_next_available_skips_empty_and_held_sessions(kit):
    """S-58: a session with a state alone, or with deferred messages alone, is not available."""
    stateful = kit.accept("stateful")
    kit.queue.sessions.set_state(kit.queue.sessions.held("stateful", "container", "link"), b"x")
    stateful.close()
    kit.send("q", "d", session_id="deferred")
    holder = kit.accept("deferred")
    holder.ask()
    kit.queue.settlement.defer(holder.got[0].token)
    holder.close()
    assert kit.accept(name="n").session is None


def test_an_expired_lock_costs_a_delivery_and_the_link(kit):
    """S-49, S-61: the lock is not renewed by receiving; its loss counts, and detaches the receiver."""
    kit.send("q", "m1", "m2", "m3", session_id="s")
    holder = kit.accept("s")
    holder.ask(1)
    kit.advance(20)
    holder.ask(1)
    kit.advance(11)
    assert holder.lost.condition == "com.microsoft:session-lock-lost"
    with pytest.raises(MessageLockLost):
        kit.queue.settlement.complete(holder.got[0].token)
    again = kit.accept("s")
    assert ids(again.ask(5)) == ["m1", "m2", "m3"]
    assert [message.delivery_count for message in again.got] == [1, 1, 0]


def test_a_settlement_after_the_lock_is_refused_even_before_the_timer_ran(kit):
    """S-61: session-lock-lost, not message-lock-lost."""
    kit.send("q", "m1", session_id="s")
    holder = kit.accept("s")
    holder.ask()
    kit.clock.advance(31)
    with pytest.raises(SessionLockLost):
        kit.queue.settlement.complete(holder.got[0].token)
    assert holder.lost is not None


def test_renewing_the_session_keeps_its_messages_locked(kit):
    """S-61: the lock of a session's message is that of the session; messages are not renewed one by one (S-28)."""
    kit.send("q", "m1", session_id="s")
    holder = kit.accept("s")
    holder.ask()
    token = holder.got[0].token
    for _ in range(4):
        kit.advance(20)
        session = kit.queue.sessions.held("s", "container", "link")
        assert kit.queue.sessions.renew(session) == kit.clock.now() + 30
    assert holder.lost is None
    with pytest.raises(NotAllowed):
        kit.queue.settlement.renew(token)
    kit.queue.settlement.complete(token)
    kit.advance(31)
    assert holder.lost is not None
    assert kit.queue.log.locked == kit.queue.log.active == 0


def test_closing_returns_messages_uncounted_and_in_order(kit):
    """S-49: a session receiver that closes with unsettled messages adds nothing to their count."""
    kit.send("q", "m1", "m2", "m3", session_id="s")
    holder = kit.accept("s")
    holder.ask(2)
    holder.close()
    assert kit.queue.log.locked == 0
    again = kit.accept("s")
    assert ids(again.ask(3)) == ["m1", "m2", "m3"]
    assert [message.delivery_count for message in again.got] == [0, 0, 0]


def test_an_abandoned_message_comes_before_later_ones_and_counts(kit):
    """S-49, S-56, S-62: order holds; past the maximum the message is dead-lettered."""
    kit.send("q", "m1", "m2", session_id="s")
    holder = kit.accept("s")
    assert ids(holder.ask()) == ["m1"]
    for _ in range(2):
        kit.queue.settlement.abandon(holder.got[-1].token)
        assert ids(holder.ask()) == ["m1"]
    kit.queue.settlement.abandon(holder.got[-1].token)
    assert ids(holder.ask()) == ["m2"]
    assert kit.dead.log.active == 1


def test_the_dead_letter_queue_of_a_session_entity_has_no_sessions(kit):
    """S-51: it is read with a plain receiver."""
    assert kit.dead.sessions is None
    assert kit.queue.sessions is not None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (message(), NotAllowed),
        (message(session_id="x" * 129), ArgumentError),
        (message(session_id="s", annotations={"x-opt-partition-key": "other"}), ArgumentError),
    ],
)
def test_what_no_session_can_take_is_refused(kit, body, error):
    """S-38, S-60, S-63: a group-id, of at most 128 characters, and a partition key that is the same; all or none."""
    with pytest.raises(error):
        kit.queue.send([message(session_id="s"), body])
    with pytest.raises(error):
        kit.queue.intake.schedule([body], kit.clock.now() + 5)
    assert kit.queue.log.active == 0
    kit.queue.send([message(session_id="s", annotations={"x-opt-partition-key": "s"})])


def test_a_state_outlives_the_messages_until_it_is_cleared(kit):
    """S-62."""
    kit.send("q", "m1", session_id="s")
    holder = kit.accept("s")
    holder.ask()
    kit.queue.settlement.complete(holder.got[0].token)
    kit.queue.sessions.set_state(kit.queue.sessions.held("s", "container", "link"), b"half way")
    holder.close()
    kit.advance(1e7)
    assert kit.queue.sessions.ids() == ["s"]
    holder = kit.accept("s")
    session = kit.queue.sessions.held("s", "container", "link")
    assert session.state == b"half way"
    kit.queue.sessions.set_state(session, None)
    holder.close()
    assert kit.queue.sessions.ids() == []


def test_only_the_holder_s_link_may_manage_a_session(kit):
    """S-31: session-lock-lost for any other link or connection, and when nobody holds it."""
    with pytest.raises(SessionLockLost):
        kit.queue.sessions.held("s", "container", "link")
    kit.accept("s")
    assert kit.queue.sessions.held("s", "container", None).id == "s"
    for container, link in (("container", "other"), ("elsewhere", "link"), ("elsewhere", None)):
        with pytest.raises(SessionLockLost):
            kit.queue.sessions.held("s", container, link)
    kit.clock.advance(30)
    with pytest.raises(SessionLockLost):
        kit.queue.sessions.held("s", "container", "link")


def test_sessions_are_listed_by_messages_or_state_or_by_the_time_of_the_state(kit):
    """S-28: get-message-sessions."""
    kit.send("q", "m", session_id="active")
    kit.send("q", "m", session_id="held")
    holder = kit.accept("held", name="1")
    holder.ask()
    for name in ("old", "new"):
        other = kit.accept(name)
        kit.queue.sessions.set_state(kit.queue.sessions.held(name, "container", "link"), b"")
        other.close()
        kit.clock.advance(10)
    assert kit.queue.sessions.ids() == ["active", "held", "new", "old"]
    assert kit.queue.sessions.ids(kit.clock.now() - 15) == ["new"]
    assert kit.queue.sessions.ids(kit.clock.now()) == []


def test_scheduled_messages_join_their_session_when_they_are_due(kit):
    """S-54 with sessions: who waits gets it then."""
    waiting = kit.accept(credit=1)
    kit.queue.intake.schedule([message("later", session_id="x")], kit.clock.now() + 5)
    assert waiting.session is None
    kit.advance(5)
    assert waiting.session == "x"
    assert ids(waiting.ask()) == ["later"]


def test_deferred_messages_stay_deferred_when_the_session_is_freed(kit):
    """S-48 with sessions: a deferred message that was locked returns to the deferred ones."""
    kit.send("q", "m1", session_id="s")
    holder = kit.accept("s")
    holder.ask()
    kit.queue.settlement.defer(holder.got[0].token)
    (message,) = kit.queue.receive_deferred([1], holder.name, peek_lock=True)
    assert message.locked_until == holder.until
    holder.close()
    assert kit.queue.log.deferred == 1
    again = kit.accept("s", "again")
    assert ids(again.ask()) == []
    (message,) = kit.queue.receive_deferred([1], again.name, peek_lock=True)
    kit.queue.settlement.complete(message.token)
    assert kit.queue.log.deferred == 0


@pytest.mark.parametrize("peek_lock", [True, False])
def test_deferred_messages_are_for_the_holder_of_their_session(kit, peek_lock):
    """S-31, S-48: without the lock of the session nobody gets them, and they stay where they are."""
    kit.send("q", "m1", session_id="s")
    holder = kit.accept("s")
    holder.ask()
    kit.queue.settlement.defer(holder.got[0].token)
    holder.close()
    with pytest.raises(SessionLockLost):
        kit.queue.receive_deferred([1], "anybody", peek_lock=peek_lock)
    assert kit.queue.log.deferred == 1


def test_expired_messages_leave_their_session(kit):
    """S-50 with sessions: a session whose messages are all past their time is neither offered nor listed."""
    kit.send("q", "short", time_to_live=5, session_id="x")
    kit.send("q", "long", time_to_live=50, session_id="y")
    kit.send("q", "short", time_to_live=5, session_id="y")
    kit.advance(6)
    assert kit.queue.sessions.ids() == ["y"]
    holder = kit.accept()
    assert holder.session == "y"
    assert ids(holder.ask(5)) == ["long"]


def test_receive_and_delete_works_in_a_session(kit):
    """S-40 with sessions."""
    kit.send("q", "m1", "m2", session_id="s")
    holder = kit.accept("s", peek_lock=False)
    assert ids(holder.ask(5)) == ["m1", "m2"]
    holder.close()
    assert kit.queue.log.size_in_bytes == 0
    assert kit.queue.sessions.ids() == []


def test_peeking_can_be_limited_to_a_session_and_needs_no_lock(kit):
    """S-31, S-55."""
    kit.send("q", "a1", session_id="a")
    kit.send("q", "b1", session_id="b")
    kit.send("q", "a2", session_id="a")
    kit.accept("a").ask(1)
    assert ids(kit.queue.peek(0, 10, "a")) == ["a1", "a2"]
    assert ids(kit.queue.peek(0, 10)) == ["a1", "b1", "a2"]


def test_batch_delete_takes_the_oldest_that_nobody_has(kit):
    """S-28: locked messages are skipped; a time and a session narrow it down."""
    kit.send("q", "a1", "a2", session_id="a")
    kit.send("q", "b1", session_id="b")
    kit.accept("a").ask(1)
    kit.clock.advance(5)
    kit.send("q", "b2", session_id="b")
    limit = kit.clock.now()
    assert kit.queue.delete(10, limit, "b") == 1
    assert kit.queue.delete(10, limit) == 1
    assert ids(kit.queue.peek(0, 10)) == ["a1", "b2"]
    assert kit.queue.delete(10, limit + 1) == 1
    assert kit.queue.log.active == 0


def test_a_reset_empties_sessions_and_leaves_their_holders(kit):
    """Messages and states go; who holds a session or waits for one goes on."""
    kit.send("q", "m1", "m2", session_id="s")
    holder = kit.accept("s")
    holder.ask()
    kit.queue.sessions.set_state(kit.queue.sessions.held("s", "container", "link"), b"x")
    waiting = kit.accept(name="2")
    kit.namespace.reset()
    assert kit.queue.sessions.ids() == []
    kit.send("q", "new", session_id="s")
    assert ids(holder.ask()) == ["new"]
    assert waiting.session is None
    kit.send("q", "other", session_id="t")
    assert waiting.session == "t"


def test_the_ledger_tells_who_held_a_session(kit):
    """Accepted, renewed, released, lost: each with session id and receiver."""
    holder = kit.accept("s")
    kit.queue.sessions.renew(kit.queue.sessions.held("s", "container", "link"))
    holder.close()
    kit.accept("s")
    kit.advance(31)
    entries = kit.namespace.ledger.entries()
    assert [e.event.removeprefix("session_") for e in entries] == [
        "accepted",
        "renewed",
        "released",
        "accepted",
        "lock_lost",
    ]
    assert {e.subject.session_id for e in entries} == {"s"}
    assert {e.consumer for e in entries} == {holder.name}


def test_sessions_that_are_over_leave_nothing_behind(kit):
    """Two thousand sessions in turn cost no memory when they are done."""

    def alive():
        gc.collect()
        return sum(isinstance(each, MessageSession) for each in gc.get_objects())

    before = alive()
    for number in range(2_000):
        kit.send("q", "m", session_id=str(number), time_to_live=5 if number % 2 else None)
        if not number % 2:
            holder = kit.accept(str(number), peek_lock=False)
            holder.ask()
            holder.close()
    kit.advance(6)
    assert kit.queue.sessions.ids() == []
    assert alive() <= before
    assert kit.queue.sessions.next_due() == float("inf")


def test_a_plain_entity_has_no_sessions():
    """S-60: it is the gateway that refuses a session receiver there."""
    assert BrokerKit().queue.sessions is None


def test_each_session_lock_lives_as_long_as_its_own_duration(kit):
    """S-61: one that was made before the entity's lock duration became shorter does not hold the others up."""
    long = kit.accept("long", "1")
    kit.namespace.reconfigure(kit.queue, Queue(requires_session=True, lock_duration=5))
    short = kit.accept("short", "2")
    kit.advance(5)
    assert (long.lost, type(short.lost)) == (None, SessionLockLost)
    kit.advance(25)
    assert type(long.lost) is SessionLockLost
