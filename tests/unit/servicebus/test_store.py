"""A namespace in a SQLite file: what was committed is there again, to the last lock."""

from __future__ import annotations

import sqlite3
import stat
import uuid
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from peeklock.servicebus import ManualClock, Queue, Rule, Subscription, Topic, Topology
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp.encode import encode
from peeklock.servicebus.amqp.sections import build
from peeklock.servicebus.amqp.types import Timestamp, UInt
from peeklock.servicebus.broker import Namespace
from peeklock.servicebus.broker.rules import CorrelationFilter, SqlFilter
from peeklock.servicebus.broker.rules import Rule as BrokerRule
from peeklock.servicebus.broker.rules.actions import SqlAction
from peeklock.servicebus.ledger import to_json
from peeklock.servicebus.store import StoreError
from peeklock.servicebus.store.codec import dump_rules, load_content, load_rules
from peeklock.servicebus.store.file import Store, stored_namespaces

from .kit import Receiver, ids

TOPOLOGY = Topology(
    queues={
        "q": Queue(
            max_delivery_count=2,
            lock_duration=30,
            duplicate_detection_window=600,
            default_time_to_live=300,
            dead_lettering_on_expiration=True,
        ),
        "s": Queue(requires_session=True, lock_duration=30),
        "from": Queue(forward_to="t"),
    },
    topics={"t": Topic(subscriptions={"all": Subscription(), "some": Subscription(rules={"r": Rule(sql="n > 3")})})},
)


def message(message_id="m", *, session=None, ttl=None, at=None, **properties):
    fields = [message_id, None, None, None, None, None, None, None, None, None, session]
    annotations = None if at is None else {"x-opt-scheduled-enqueue-time": Timestamp(int(at * 1000))}
    header = None if ttl is None else [None, None, UInt(int(ttl * 1000)), None, None]
    raw = build(
        header=header, properties=fields, annotations=annotations, data=b"body", application_properties=properties
    )
    content = Envelope(raw)
    content.sender = "app"
    return content


class Life:
    """A namespace that is kept in a folder; `again` is its next life after an end without a word."""

    def __init__(self, folder: Path, topology=TOPOLOGY, now=1_800_000_000.0, ledger_cap=None):
        self.folder, self.topology = folder, topology
        self.clock = ManualClock(now)
        self.store = Store(folder, "ns")
        queues, topics = self.store.merged(topology)
        self.namespace = Namespace("ns", queues, self.clock, topics=topics, ledger_cap=ledger_cap)
        self.store.restore(self.namespace, lambda path: None)
        if self.store.definition() is None:
            self.store.define(topology.to_json(), 1234, now)

    def entity(self, path):
        return self.namespace.entity(path)

    def again(self, topology=None):
        self.store.close()
        return Life(self.folder, topology or self.topology, self.clock.now())

    def facts(self):
        """What of the namespace must outlive it; a session's messages are not locked any more, as its holder is gone."""
        facts = {}
        for owner in self.namespace.entities():
            for part in owner.parts():
                messages = []
                for m in part.peek(0, 10_000):
                    state, lock, consumer = m.state, (m.token, m.locked_until), m.consumer
                    if state.startswith("locked") and part.sessions is not None:
                        state = "deferred" if m.deferred else "active"
                    if not state.startswith("locked"):
                        lock = consumer = None
                    wire = m.content.wire(m.sequence, m.enqueued_at, 0, m.delivery_count, None, m.origin)
                    times = (m.enqueued_at, m.expires_at, m.content.ttl, m.content.scheduled_at)
                    extra = (m.hops, m.content.sender, m.content.size)
                    messages.append((m.sequence, state, lock, consumer, m.deferred, wire, times, extra))
                states = {} if part.sessions is None else {s.id: s.state for s in part.sessions.states()}
                counts = (part.log.next_sequence, part.log.size_in_bytes, part.log.deferred, part.log.scheduled)
                facts[part.name] = (messages, states, counts, part.gate.status)
        return facts


@pytest.fixture
def life(tmp_path):
    life = Life(tmp_path)
    yield life
    life.store.close()


def history(life):
    return [to_json(entry) for entry in life.namespace.ledger.entries()]


def again(life):
    """Commit, end and begin again; whatever else is told of the namespace is told again."""
    life.store.commit()
    before, ledger = life.facts(), history(life)
    other = life.again()
    assert other.facts() == before
    assert history(other)[: len(ledger)] == ledger
    return other


OPERATIONS = [
    "send",
    "repeat",
    "schedule",
    "receive",
    "complete",
    "abandon",
    "defer",
    "bury",
    "renew",
    "release",
    "session",
    "state",
    "forward",
    "advance",
    "commit",
    "purge",
    "deferred",
    "long",
    "short",
]


@example([("schedule", 0), ("commit", 0), ("advance", 3)])
@given(st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 5)), max_size=60))
@settings(max_examples=60)
def test_any_history_is_there_again(operations):
    """Whatever happened, in whatever turns it was committed: messages, locks, counts, states and sequence numbers are the
    same after a restart, and so is the ledger."""
    with TemporaryDirectory() as folder:
        life = Life(Path(folder))
        play(life, operations)
        other = again(life)
        play(other, [("receive", 0), ("send", 0), ("session", 1), *operations[:20]])
        again(other).store.close()


def play(life, operations):
    takers = {path: Receiver(life.entity(path)) for path in ("q", "q/$deadletterqueue", "t/Subscriptions/all")}
    q, held, deferred = life.entity("q"), [], []
    for number, (name, pick) in enumerate(operations):
        mine = held.pop(pick % len(held)) if held and name in SETTLEMENTS else None
        match name:
            case "send":
                q.send([message(uuid.uuid4().hex, n=pick) for _ in range(pick + 1)])
            case "repeat":
                q.send([message(f"fixed-{pick}")])
            case "long" | "short":
                q.send([message(uuid.uuid4().hex, ttl=500 if name == "long" else 5)])
            case "schedule":
                q.intake.schedule([message(f"{number}", at=life.clock.now() + 10 * (pick + 1))])
            case "receive":
                path, taker = list(takers.items())[pick % 3]
                held += [(life.entity(path), got) for got in taker.take()]
            case "deferred" if deferred:
                got = q.receive_deferred([deferred.pop()], "someone", peek_lock=bool(pick))
                held += [(q, m) for m in got if pick]
            case "session":
                life.entity("s").send([message(f"{number}", session=f"s{pick}")])
                holder = Receiver(life.entity("s"))
                life.entity("s").sessions.accept(holder, None, 1.0)
                holder.take()
                if pick > 2:
                    life.entity("s").dispatch.remove(holder)
            case "state":
                sessions, holder = life.entity("s").sessions, Receiver(life.entity("s"))
                sessions.accept(holder, f"state-{number}")
                sessions.set_state(sessions.held(f"state-{number}", "container", "link"), b"x" * pick or None)
                life.entity("s").dispatch.remove(holder)
            case "forward":
                life.entity("from").send([message(f"{number}", n=pick)])
            case "advance":
                life.clock.advance(pick * 4)
                life.namespace.run_due()
            case "commit":
                life.store.commit()
            case "purge" if pick == 0:
                q.purge()
                held = [(owner, m) for owner, m in held if owner is not q]
                deferred = []
        if mine is not None and mine[0].settlement.locked(mine[1].token) is not None:
            if name == "defer" and mine[0] is q:
                deferred.append(mine[1].sequence)
            SETTLEMENTS[name](*mine)


SETTLEMENTS = {
    "complete": lambda queue, m: queue.settlement.complete(m.token),
    "abandon": lambda queue, m: queue.settlement.abandon(m.token, {"tried": 1}),
    "defer": lambda queue, m: queue.settlement.defer(m.token),
    "bury": lambda queue, m: (
        queue.is_dead_letter or queue.settlement.dead_letter(m.token, "why", "because", {"k": "v"})
    ),
    "renew": lambda queue, m: queue.settlement.renew(m.token),
    "release": lambda queue, m: queue.settlement.release(m.token),
}


def test_a_lock_outlives_the_process(life):
    """S-46: a message that was locked stays so until its time is over, and its token settles it."""
    life.entity("q").send([message("a"), message("b")])
    taker = Receiver(life.entity("q"))
    (first,), (second,) = taker.take(), taker.take()
    other = again(life)
    other.entity("q").settlement.complete(first.token)
    assert Receiver(other.entity("q")).take() == []
    other.clock.advance(31)
    other.namespace.run_due()
    (returned,) = Receiver(other.entity("q")).take()
    assert (returned.content.message_id, returned.delivery_count) == ("b", 1)
    assert other.entity("q").settlement.locked(second.token) is None
    other.store.close()


def test_a_session_is_free_again_and_its_messages_uncounted(life):
    """S-49: its holder has gone with the connection; the ledger says so."""
    queue = life.entity("s")
    queue.send([message("a", session="x")])
    holder = Receiver(queue)
    queue.sessions.accept(holder, "x")
    holder.take()
    other = again(life)
    holder = Receiver(other.entity("s"))
    other.entity("s").sessions.accept(holder, None)
    (got,) = holder.take()
    assert (holder.session, got.delivery_count) == ("x", 0)
    events = [(e.event, e.reason) for e in other.namespace.ledger.entries() if e.message_id == "a"]
    assert ("released", "Restarted") in events
    other.store.close()


def test_the_duplicate_history_outlives_the_process(life):
    """S-57: also for a message that was consumed, and no longer than its window."""
    life.entity("q").send([message("a")])
    (got,) = Receiver(life.entity("q")).take()
    life.entity("q").settlement.complete(got.token)
    other = again(life)
    other.entity("q").send([message("a")])
    assert other.entity("q").log.active == 0
    other.clock.advance(601)
    other.entity("q").send([message("a")])
    assert other.entity("q").log.active == 1
    other.store.close()


def test_what_was_not_committed_was_never_there(life):
    """A turn is kept as a whole or not at all."""
    life.entity("q").send([message("kept")])
    life.store.commit()
    life.entity("q").send([message("lost")])
    other = life.again()
    assert ids(other.entity("q").peek(0, 9)) == ["kept"]
    other.store.close()


def test_entities_made_and_changed_while_it_runs_outlive_it(life):
    """Queues, topics, subscriptions and rules of the administration API come again, and what it removed stays away."""
    namespace = life.namespace
    namespace.add_queue("made", Queue(lock_duration=11))
    topic = namespace.add_topic("more", Topic(default_time_to_live=77))
    namespace.add_subscription(topic, "mine", Subscription(max_delivery_count=7))
    rules = life.entity("more/Subscriptions/mine")
    rules.remove_rule("$Default")
    rules.add_rule(BrokerRule("sql", SqlFilter("a = @p", {"p": 1.5}), SqlAction("SET b = 2"), 5.0))
    rules.add_rule(BrokerRule("equal", CorrelationFilter({"subject": "x"}, {"k": Timestamp(5)})))
    namespace.reconfigure(life.entity("q"), Queue(max_delivery_count=99, duplicate_detection_window=600))
    life.entity("s").gate.set_status("SendDisabled")
    namespace.remove(life.entity("t/Subscriptions/some"))
    namespace.remove(life.entity("from"))
    other = again(life)
    assert other.entity("made").settings.lock_duration == 11
    assert other.entity("q").settings.max_delivery_count == 99
    assert other.entity("s").gate.status == "SendDisabled"
    kept = other.entity("more/Subscriptions/mine")
    assert kept.settings.max_delivery_count == 7
    assert [rule.name for rule in kept.listed_rules()] == ["equal", "sql"]
    assert sorted(other.namespace.queues) == ["made", "q", "s"]
    assert list(other.namespace.topics["t"].subscriptions) == ["all"]
    other.namespace.add_queue("from", Queue(lock_duration=3))
    third = again(other)
    assert third.entity("from").settings.lock_duration == 3
    third.store.close()


def test_an_entity_may_forward_to_one_that_was_deleted(life):
    """A namespace that stood can stand again, whatever `Topology` would say of it."""
    life.namespace.remove(life.namespace.topics["t"])
    other = again(life)
    assert other.entity("from").settings.forward_to == "t"
    other.store.close()


def test_a_queue_that_a_configuration_adds_is_added(life):
    """What is stored goes before what is given, and what is given new is made."""
    life.store.commit()
    other = life.again(Topology(queues={"new": Queue(), "q": Queue(lock_duration=5)}))
    assert other.entity("new").settings.lock_duration == 60
    assert other.entity("q").settings.lock_duration == 30
    other.store.close()


def test_types_survive_the_codec():
    """S-36: contents and rules come back with the very types that they had."""
    content = message("a", ttl=5, at=7.5, number=UInt(5), unset=None)
    content.annotate("x-opt-partition-key", "p")
    copy = load_content(content.pack())
    assert all(getattr(copy, name) == getattr(content, name) for name in Envelope.__slots__)
    rule = BrokerRule("r", CorrelationFilter({"to": "x"}, {"u": uuid.UUID(int=5), "i": UInt(5)}), None, 3.0)
    (loaded,) = load_rules(dump_rules([rule]))
    assert loaded.filter.properties == rule.filter.properties
    assert [type(value) for value in loaded.filter.properties.values()] == [uuid.UUID, UInt]


def test_the_ledger_keeps_its_cap(tmp_path):
    """What the ledger has dropped is dropped on disk, too, some entries later."""
    life = Life(tmp_path, ledger_cap=50)
    for _ in range(30):
        life.entity("from").send([message(uuid.uuid4().hex) for _ in range(20)])
        life.store.commit()
    (rows,) = life.store.database.execute("SELECT COUNT(*) FROM ledger").fetchone()
    assert rows < 1_200
    assert life.namespace.ledger.cursor > 2_000
    other = life.again()
    assert other.namespace.ledger.cursor == life.namespace.ledger.cursor
    other.store.close()


def test_one_emulator_at_a_time(life, tmp_path):
    """A second one would write over the first: it is told so."""
    with pytest.raises(StoreError, match="in use by another emulator"):
        Store(tmp_path, "ns")


def test_a_file_of_something_else(tmp_path):
    """It is left as it is."""
    (tmp_path / "ns.sqlite3").write_text("a letter, and no database at all, with more than a hundred bytes" * 9)
    with pytest.raises(StoreError, match="no store of the emulator"):
        Store(tmp_path, "ns")
    assert (tmp_path / "ns.sqlite3").read_text().startswith("a letter")


def test_a_file_of_another_version(life, tmp_path):
    """The error names both formats."""
    life.store.close()
    database = sqlite3.connect(tmp_path / "ns.sqlite3")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="format 99; this version reads format"):
        Store(tmp_path, "ns")


def test_contents_of_format_1_are_read(life, tmp_path):
    """A file that an earlier version has written goes on with what it holds, and is of this version's format then."""
    life.entity("q").intake.take([message("a", ttl=5, session="s", number=UInt(5))])
    life.store.commit()
    facts = life.facts()
    life.store.close()
    with closing(sqlite3.connect(tmp_path / "ns.sqlite3", isolation_level=None)) as database:
        for table in ("content", "ledger"):
            for row, body in database.execute(f"SELECT rowid, body FROM {table} WHERE body IS NOT NULL").fetchall():
                content = load_content(body)
                fields = [getattr(content, name) for name in Envelope.__mro__[1].__slots__]
                listed = encode([list(field) if isinstance(field, tuple) else field for field in fields])
                database.execute(f"UPDATE {table} SET body = ? WHERE rowid = ?", (listed, row))
        database.execute("PRAGMA user_version = 1")
    other = Life(tmp_path)
    assert other.facts() == facts
    assert other.store.database.execute("PRAGMA user_version").fetchone() == (2,)
    other.store.close()


def test_a_folder_that_cannot_be(tmp_path):
    """The error says which folder, and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be used.*\n.*can be written"):
        Store(tmp_path / "file" / "data", "ns")


def test_names_and_rights_of_files(tmp_path):
    """Any name of a namespace makes a file, which only its owner can read: it holds keys."""
    for name in ("plain", "../odd/näme"):
        Store(tmp_path / "data", name).close()
    assert stored_namespaces(tmp_path / "data") == ["../odd/näme", "plain"]
    assert [path.parent for path in tmp_path.rglob("*.sqlite3")] == [tmp_path / "data"] * 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.sqlite3")} == {0o600}


def test_a_transaction_is_kept_whole_or_not_at_all(life):
    """S-74, S-75: what was posted is gone after a restart, with its locks as they were; what was committed is there, the
    transfer dead letters and the numbers at the via entity included."""
    q, connection = life.entity("q"), object()
    q.send([message("in")])
    (received,) = Receiver(q).take()
    way = life.namespace.transfer(q, "t")
    posted = life.namespace.transactions.declare(connection, connection)
    posted.at(q).complete(received.token)
    posted.send(way, [message("never")])
    other = again(life)
    q = other.entity("q")
    assert q.settlement.locked(received.token) is not None
    way = other.namespace.transfer(q, "t")
    other.entity("t").gate.set_status("SendDisabled")
    kept = other.namespace.transactions.declare(connection, connection)
    kept.at(q).complete(received.token)
    kept.send(way, [message("out")])
    kept.schedule(q, [message("later", at=other.clock.now() + 60)])
    other.namespace.transactions.discharge(kept.id, connection, fail=False)
    last = again(other)
    assert ids(last.entity("q").peek(0, 9)) == ["later"]
    (dead,) = last.entity("q/$Transfer/$DeadLetterQueue").peek(0, 9)
    assert (dead.content.message_id, dead.origin) == ("out", 3)
    last.store.close()


def test_partitions_are_kept(tmp_path):
    """S-53: numbers, partitions and the order of arrival are the same after a restart, and go on from there."""
    topics = {"t": Topic(partitioned=True, subscriptions={"s": Subscription()})}
    life = Life(tmp_path, Topology(queues={"p": Queue(partitioned=True)}, topics=topics))
    for number in range(20):
        life.entity("p").send([message(f"m{number}")])
        life.entity("t").send([message(f"m{number}")])
    other = again(life)
    for path in ("p", "t/Subscriptions/s"):
        assert ids(Receiver(other.entity(path)).take()) == ["m0"]
        assert ids(other.entity(path).peek(0, 99)) == [f"m{n}" for n in range(20)]
    other.entity("p").send([message("m20")])
    last = again(other)
    assert last.entity("p").peek(0, 99)[-1].sequence == 5 << 48 | 21
    last.store.close()
