"""Message sessions by the rules of Service Bus, with a clock that is moved by hand."""

from __future__ import annotations

import pytest

from peeklock.servicebus import ManualClock, Queue
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.errors import (
    ArgumentError,
    MessageLockLost,
    NotAllowed,
    SessionCannotBeLocked,
    SessionLockLost,
)
from peeklock.servicebus.broker.session import DEFAULT_PATIENCE

from .content import Body
from .holder import Holder


class Bench:
    """A namespace with one queue of sessions."""

    def __init__(self, **settings):
        self.clock = ManualClock()
        self.namespace = Namespace("ns", {"q": Queue(requires_session=True, **settings)}, self.clock)
        self.queue = self.namespace.entity("q")
        self.dead = self.namespace.entity("q/$deadletterqueue")
        self.sessions = self.queue.sessions

    def send(self, *ids, session="s", **fields):
        self.queue.send([Body(name, session, **fields) for name in ids])

    def accept(self, session=None, name="link", patience=None, **options):
        holder = Holder(self.queue, name, **options)
        self.sessions.accept(holder, session, patience)
        return holder

    def move(self, seconds):
        self.clock.advance(seconds)
        self.namespace.run_due()

    def events(self):
        return [entry.event for entry in self.namespace.ledger.entries()]


@pytest.fixture
def bench():
    return Bench(lock_duration=30, max_delivery_count=3)


def test_a_session_is_received_in_order_by_its_holder_alone(bench):
    """S-62: FIFO per session, and nothing of another session."""
    bench.send("a1", "a2", session="a")
    bench.send("b1", session="b")
    bench.send("a3", session="a")
    holder = bench.accept("a")
    assert holder.take(10) == ["a1", "a2", "a3"]
    bench.send("b2", session="b")
    bench.send("a4", session="a")
    assert holder.got[-1].content.message_id == "a4"
    assert len(holder.got) == 4


def test_sessions_are_received_in_parallel_on_different_links(bench):
    """S-62: several sessions at once."""
    bench.send("a1", session="a")
    bench.send("b1", session="b")
    first, second = bench.accept(name="1"), bench.accept(name="2")
    assert (first.session, second.session) == ("a", "b")
    assert (first.take(5), second.take(5)) == (["a1"], ["b1"])


def test_a_held_session_cannot_be_locked_by_another(bench):
    """S-59: session-cannot-be-locked, until the holder leaves."""
    holder = bench.accept("s")
    with pytest.raises(SessionCannotBeLocked):
        bench.accept("s", "other")
    holder.close()
    assert bench.accept("s", "other").session == "s"


@pytest.mark.parametrize("name", ["never-seen", ""])
def test_a_session_that_nobody_has_heard_of_can_be_accepted(bench, name):
    """S-58, S-59: any id will do, the empty one too."""
    holder = bench.accept(name)
    assert holder.session == name
    assert holder.until == bench.clock.now() + 30


def test_who_waits_gets_the_next_session_that_has_a_message(bench):
    """S-59: in the order in which they came."""
    first, second = bench.accept(name="1", credit=9), bench.accept(name="2", credit=9)
    assert first.session is second.session is None
    bench.send("x", session="x")
    assert (first.session, second.session) == ("x", None)
    bench.send("x2", session="x")
    assert second.session is None
    bench.send("y", session="y")
    assert second.session == "y"


def test_a_session_that_becomes_free_goes_to_who_waits(bench):
    """S-59, S-62: closing frees the session at once."""
    bench.send("m1")
    holder = bench.accept("s")
    waiting = bench.accept(name="2")
    assert waiting.session is None
    holder.close()
    assert waiting.session == "s"


def test_waiting_ends_with_a_timeout_and_not_before(bench):
    """S-59: 65 s unless the client says otherwise; each by its own."""
    patient, hasty = bench.accept(name="1"), bench.accept(name="2", patience=2.0)
    bench.move(1.9)
    assert hasty.refused is None
    bench.move(0.2)
    assert hasty.refused.condition == "com.microsoft:timeout"
    bench.move(DEFAULT_PATIENCE - 2.2)
    assert patient.refused is None
    bench.move(0.2)
    assert patient.refused.status == 408
    bench.send("late")
    assert patient.session is hasty.session is None


def test_who_gave_up_is_never_answered(bench):
    """S-59: a receiver that left while it waited gets no session, and none is lost to it."""
    gone = bench.accept(name="1")
    gone.close()
    bench.send("m1")
    assert gone.session is None
    assert bench.accept().session == "s"
    bench.move(100)
    assert gone.refused is None


def test_next_available_skips_empty_and_held_sessions(bench):
    """S-58: a session with a state alone, or with deferred messages alone, is not available."""
    stateful = bench.accept("stateful")
    bench.sessions.set_state(bench.sessions.held("stateful", "container", "link"), b"x")
    stateful.close()
    bench.send("d", session="deferred")
    holder = bench.accept("deferred")
    holder.take()
    bench.queue.defer(holder.got[0].token)
    holder.close()
    assert bench.accept(name="n").session is None


def test_an_expired_lock_costs_a_delivery_and_the_link(bench):
    """S-49, S-61: the lock is not renewed by receiving; its loss counts, and detaches the receiver."""
    bench.send("m1", "m2", "m3")
    holder = bench.accept("s")
    holder.take(1)
    bench.move(20)
    holder.take(1)
    bench.move(11)
    assert holder.lost.condition == "com.microsoft:session-lock-lost"
    with pytest.raises(MessageLockLost):
        bench.queue.complete(holder.got[0].token)
    again = bench.accept("s")
    assert again.take(5) == ["m1", "m2", "m3"]
    assert [message.delivery_count for message in again.got] == [1, 1, 0]


def test_a_settlement_after_the_lock_is_refused_even_before_the_timer_ran(bench):
    """S-61: session-lock-lost, not message-lock-lost."""
    bench.send("m1")
    holder = bench.accept("s")
    holder.take()
    bench.clock.advance(31)
    with pytest.raises(SessionLockLost):
        bench.queue.complete(holder.got[0].token)
    assert holder.lost is not None


def test_renewing_the_session_keeps_its_messages_locked(bench):
    """S-61: the lock of a session's message is that of the session; messages are not renewed one by one (S-28)."""
    bench.send("m1")
    holder = bench.accept("s")
    holder.take()
    token = holder.got[0].token
    for _ in range(4):
        bench.move(20)
        session = bench.sessions.held("s", "container", "link")
        assert bench.sessions.renew(session) == bench.clock.now() + 30
    assert holder.lost is None
    with pytest.raises(NotAllowed):
        bench.queue.renew(token)
    bench.queue.complete(token)
    bench.move(31)
    assert holder.lost is not None
    assert bench.queue.locked_count == bench.queue.active == 0


def test_closing_returns_messages_uncounted_and_in_order(bench):
    """S-49: a session receiver that closes with unsettled messages adds nothing to their count."""
    bench.send("m1", "m2", "m3")
    holder = bench.accept("s")
    holder.take(2)
    holder.close()
    assert bench.queue.locked_count == 0
    again = bench.accept("s")
    assert again.take(3) == ["m1", "m2", "m3"]
    assert [message.delivery_count for message in again.got] == [0, 0, 0]


def test_an_abandoned_message_comes_before_later_ones_and_counts(bench):
    """S-49, S-56, S-62: order holds; past the maximum the message is dead-lettered."""
    bench.send("m1", "m2")
    holder = bench.accept("s")
    assert holder.take() == ["m1"]
    for _ in range(2):
        bench.queue.abandon(holder.got[-1].token)
        assert holder.take() == ["m1"]
    bench.queue.abandon(holder.got[-1].token)
    assert holder.take() == ["m2"]
    assert bench.dead.active == 1


def test_the_dead_letter_queue_of_a_session_entity_has_no_sessions(bench):
    """S-51: it is read with a plain receiver."""
    assert bench.dead.sessions is None
    assert bench.queue.sessions is not None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (Body(session_id=None), NotAllowed),
        (Body(session_id="x" * 129), ArgumentError),
        (Body(session_id="s", partition_key="other"), ArgumentError),
    ],
)
def test_what_no_session_can_take_is_refused(bench, body, error):
    """S-38, S-60, S-63: a group-id, of at most 128 characters, and a partition key that is the same; all or none."""
    with pytest.raises(error):
        bench.queue.send([Body(session_id="s"), body])
    with pytest.raises(error):
        bench.queue.schedule([body], bench.clock.now() + 5)
    assert bench.queue.active == 0
    bench.queue.send([Body(session_id="s", partition_key="s")])


def test_a_state_outlives_the_messages_until_it_is_cleared(bench):
    """S-62."""
    bench.send("m1")
    holder = bench.accept("s")
    holder.take()
    bench.queue.complete(holder.got[0].token)
    bench.sessions.set_state(bench.sessions.held("s", "container", "link"), b"half way")
    holder.close()
    bench.move(1e7)
    assert bench.sessions.ids() == ["s"]
    holder = bench.accept("s")
    session = bench.sessions.held("s", "container", "link")
    assert session.state == b"half way"
    bench.sessions.set_state(session, None)
    holder.close()
    assert bench.sessions.ids() == []


def test_only_the_holder_s_link_may_manage_a_session(bench):
    """S-31: session-lock-lost for any other link or connection, and when nobody holds it."""
    with pytest.raises(SessionLockLost):
        bench.sessions.held("s", "container", "link")
    bench.accept("s")
    assert bench.sessions.held("s", "container", None).id == "s"
    for container, link in (("container", "other"), ("elsewhere", "link"), ("elsewhere", None)):
        with pytest.raises(SessionLockLost):
            bench.sessions.held("s", container, link)
    bench.clock.advance(30)
    with pytest.raises(SessionLockLost):
        bench.sessions.held("s", "container", "link")


def test_sessions_are_listed_by_messages_or_state_or_by_the_time_of_the_state(bench):
    """S-28: get-message-sessions."""
    bench.send("m", session="active")
    bench.send("m", session="held")
    holder = bench.accept("held", name="1")
    holder.take()
    for name in ("old", "new"):
        other = bench.accept(name)
        bench.sessions.set_state(bench.sessions.held(name, "container", "link"), b"")
        other.close()
        bench.clock.advance(10)
    assert bench.sessions.ids() == ["active", "held", "new", "old"]
    assert bench.sessions.ids(bench.clock.now() - 15) == ["new"]
    assert bench.sessions.ids(bench.clock.now()) == []


def test_scheduled_messages_join_their_session_when_they_are_due(bench):
    """S-54 with sessions: who waits gets it then."""
    waiting = bench.accept(credit=1)
    bench.queue.schedule([Body("later", "x")], bench.clock.now() + 5)
    assert waiting.session is None
    bench.move(5)
    assert waiting.session == "x"
    assert waiting.take() == ["later"]


def test_deferred_messages_stay_deferred_when_the_session_is_freed(bench):
    """S-48 with sessions: a deferred message that was locked returns to the deferred ones."""
    bench.send("m1")
    holder = bench.accept("s")
    holder.take()
    bench.queue.defer(holder.got[0].token)
    (message,) = bench.queue.receive_deferred([1], holder.name, peek_lock=True)
    assert message.locked_until == holder.until
    holder.close()
    assert bench.queue.deferred == 1
    again = bench.accept("s", "again")
    assert again.take() == []
    (message,) = bench.queue.receive_deferred([1], again.name, peek_lock=True)
    bench.queue.complete(message.token)
    assert bench.queue.deferred == 0


def test_expired_messages_leave_their_session(bench):
    """S-50 with sessions: a session whose messages are all past their time is neither offered nor listed."""
    bench.send("short", ttl=5, session="x")
    bench.send("long", ttl=50, session="y")
    bench.send("short", ttl=5, session="y")
    bench.move(6)
    assert bench.sessions.ids() == ["y"]
    holder = bench.accept()
    assert holder.session == "y"
    assert holder.take(5) == ["long"]


def test_receive_and_delete_works_in_a_session(bench):
    """S-40 with sessions."""
    bench.send("m1", "m2")
    holder = bench.accept("s", peek_lock=False)
    assert holder.take(5) == ["m1", "m2"]
    holder.close()
    assert bench.queue.size_in_bytes == 0
    assert bench.sessions.ids() == []


def test_peeking_can_be_limited_to_a_session_and_needs_no_lock(bench):
    """S-31, S-55."""
    bench.send("a1", session="a")
    bench.send("b1", session="b")
    bench.send("a2", session="a")
    bench.accept("a").take(1)
    assert [m.content.message_id for m in bench.queue.peek(0, 10, "a")] == ["a1", "a2"]
    assert [m.content.message_id for m in bench.queue.peek(0, 10)] == ["a1", "b1", "a2"]


def test_batch_delete_takes_the_oldest_that_nobody_has(bench):
    """S-28: locked messages are skipped; a time and a session narrow it down."""
    bench.send("a1", "a2", session="a")
    bench.send("b1", session="b")
    bench.accept("a").take(1)
    bench.clock.advance(5)
    bench.send("b2", session="b")
    limit = bench.clock.now()
    assert bench.queue.delete(10, limit, "b") == 1
    assert bench.queue.delete(10, limit) == 1
    assert [m.content.message_id for m in bench.queue.peek(0, 10)] == ["a1", "b2"]
    assert bench.queue.delete(10, limit + 1) == 1
    assert bench.queue.active == 0


def test_a_reset_empties_sessions_and_leaves_their_holders(bench):
    """Messages and states go; who holds a session or waits for one goes on."""
    bench.send("m1", "m2")
    holder = bench.accept("s")
    holder.take()
    bench.sessions.set_state(bench.sessions.held("s", "container", "link"), b"x")
    waiting = bench.accept(name="2")
    bench.namespace.reset()
    assert bench.sessions.ids() == []
    bench.send("new")
    assert holder.take() == ["new"]
    assert waiting.session is None
    bench.send("other", session="t")
    assert waiting.session == "t"


def test_the_ledger_tells_who_held_a_session(bench):
    """Accepted, renewed, released, lost: each with session id and receiver."""
    holder = bench.accept("s")
    bench.sessions.renew(bench.sessions.held("s", "container", "link"))
    holder.close()
    bench.accept("s")
    bench.move(31)
    entries = bench.namespace.ledger.entries()
    assert [e.event.removeprefix("session_") for e in entries] == [
        "accepted",
        "renewed",
        "released",
        "accepted",
        "lock_lost",
    ]
    assert {e.subject.session_id for e in entries} == {"s"}
    assert {e.consumer for e in entries} == {holder.name}


def test_sessions_that_are_over_leave_nothing_behind(bench):
    """Two thousand sessions in turn cost no memory when they are done."""
    for number in range(2_000):
        bench.send("m", session=str(number), ttl=5 if number % 2 else None)
        if not number % 2:
            holder = bench.accept(str(number), peek_lock=False)
            holder.take()
            holder.close()
    bench.move(6)
    sessions = bench.sessions
    kept = (sessions._sessions, sessions._available, sessions._changed, sessions._held, sessions._by_holder)
    assert [len(collection) for collection in kept] == [0, 0, 0, 0, 0]
    assert bench.sessions.next_due() == float("inf")


def test_a_plain_entity_has_no_sessions():
    """S-60: it is the gateway that refuses a session receiver there."""
    assert Namespace("ns", {"q": Queue()}, ManualClock()).entity("q").sessions is None
