"""What the engine makes of a ledger is what the broker holds."""

from __future__ import annotations

import uuid
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from peeklock.engine.ledger import HELD, Ledger
from peeklock.servicebus import Queue, Rule, Subscription, Topic
from peeklock.servicebus.broker.errors import BrokerError
from peeklock.servicebus.ledger import AboutEntity, EventKind, from_json, to_json
from tests.unit.servicebus.kit import BrokerKit, message

QUEUES = {
    "q": Queue(
        max_delivery_count=2,
        lock_duration=30,
        duplicate_detection_window=60,
        default_time_to_live=300,
        dead_lettering_on_expiration=True,
    ),
    "plain": Queue(lock_duration=20),
    "s": Queue(requires_session=True, lock_duration=30),
    "p": Queue(partitioned=True, max_delivery_count=3),
    "idle": Queue(auto_delete_on_idle=300),
    "to q": Queue(forward_to="q"),
    "to t": Queue(forward_to="t", forward_dead_lettered_messages_to="plain"),
    "to nowhere": Queue(forward_to="idle", forward_dead_lettered_messages_to="q"),
    "circle": Queue(forward_dead_lettered_messages_to="circle", max_delivery_count=1),
}
TOPICS = {
    "t": Topic(
        subscriptions={
            "all": Subscription(lock_duration=10),
            "some": Subscription(rules={"a": Rule(sql="n > 2"), "b": Rule(sql="n > 1", action="SET seen = 1")}),
            "sessions": Subscription(requires_session=True),
            "broken": Subscription(
                rules={"r": Rule(sql="sys.nothing = 1")}, dead_lettering_on_filter_evaluation_exceptions=True
            ),
            "away": Subscription(forward_to="plain"),
        }
    )
}
RECEIVABLE = ["q", "plain", "p", "circle", "t/Subscriptions/all", "t/Subscriptions/some", "idle"]
RECEIVABLE += [f"{path}/$DeadLetterQueue" for path in RECEIVABLE] + ["plain/$Transfer/$DeadLetterQueue"]
SENDABLE = ["q", "plain", "s", "p", "idle", "to q", "to t", "to nowhere", "circle", "t"]
SETTLEMENTS = ["complete", "abandon", "defer", "bury", "renew", "release", "twice", "huge"]
ACTS = [
    "nothing",
    "send",
    "send",
    "repeat",
    "schedule",
    "cancel",
    "receive",
    "delete",
    "deferred",
    "session",
    "advance",
    "purge",
]
ACTS += ["batch delete", "transaction", "via", "lose locks", "anew", "status", "fault", "settle in transaction"]


class History:
    """Acts on every kind of entity, and what is known to have become of messages."""

    def __init__(self):
        self.kit = BrokerKit(QUEUES, TOPICS)
        self.locked = []
        self.deferred = []
        self.scheduled = []
        self.expected = {}

    def act(self, name, pick):
        with suppress(BrokerError):  # gone by now, disabled: nothing has happened
            self._settle(name, pick) if name in SETTLEMENTS else self._do(name, pick)

    def _settle(self, name, pick):
        if not self.locked:
            return
        queue, token, sequence = self.locked.pop(pick % len(self.locked))
        self._apply(name, queue.settlement, queue, token)
        key = (queue.name, sequence)
        if name == "complete":
            self.expected[key] = "completed"
        elif name == "defer":
            self.deferred.append((queue, sequence))
        elif name == "bury":
            self.expected[key] = "dead_lettered"

    @staticmethod
    def _apply(name, at, queue, token):
        match name:
            case "complete" | "defer" | "renew" | "release":
                getattr(at, name)(token)
            case "abandon":
                at.abandon(token, {"tried": 1})
            case "huge":
                at.abandon(token, {"long": "x" * 70_000})
            case "bury":
                at.dead_letter(token, "why", "because")
            case "twice":
                queue.settlement.redeliver(token)

    def _do(self, name, pick):
        kit, now = self.kit, self.kit.now()
        target = SENDABLE[pick % len(SENDABLE)]
        full = [path for path in RECEIVABLE if "idle" not in path and kit[path].log.active] or RECEIVABLE
        queue = full[pick % len(full)]
        match name:
            case "send":
                kit.send(target, *(self._message(target, n) for n in range(pick % 4 + 1)))
            case "repeat":
                kit.send(target, self._message(target, pick, f"fixed-{pick % 3}"))
            case "schedule":
                numbers = kit[target].intake.schedule(
                    [self._message(target, pick, f"at-{pick}")], now + 10 * (pick % 5) + 5
                )
                self.scheduled += [(target, number) for number in numbers if number]
            case "cancel" if self.scheduled:
                path, number = self.scheduled.pop(pick % len(self.scheduled))
                kit[path].intake.cancel([number])
                self.expected[path, number] = "cancelled"
            case "receive" | "delete":
                receiver = kit.receiver(queue, peek_lock=name == "receive")
                self._keep(kit[queue], receiver.take(pick % 3 + 1), name == "receive")
                receiver.close()
            case "deferred" if self.deferred:
                entity, number = self.deferred.pop(pick % len(self.deferred))
                self._keep(entity, entity.receive_deferred([number], "x", peek_lock=pick % 2 == 0), pick % 2 == 0)
            case "session":
                path = ("s", "t/Subscriptions/sessions")[pick % 2]
                holder = kit.accept(path=path, patience=1.0)
                self._keep(kit[path], holder.take(pick % 3 + 1), True)
                if pick > 10:
                    holder.close()
            case "advance":
                kit.advance(pick * 5)
            case "purge" if pick > 15:
                kit[queue].purge()
            case "batch delete":
                kit[queue].delete(pick, now + 1)
            case "transaction" | "via":
                self._transaction(target, pick, name == "via")
            case "settle in transaction" if self.locked:
                entity, token, _ = self.locked.pop(pick % len(self.locked))
                transaction = kit.declare()
                self._apply(SETTLEMENTS[pick % 4], transaction.at(entity), entity, token)
                kit.discharge(transaction, fail=pick % 3 == 0)
            case "lose locks":
                kit[queue].settlement.expire_locks()
            case "anew" if "idle" in kit.namespace.queues:
                kit.namespace.remove(kit["idle"])
            case "anew":
                kit.namespace.add_queue("idle", QUEUES["idle"])
            case "status":
                kit[target].gate.set_status(("Active", "SendDisabled", "ReceiveDisabled", "Active")[pick % 4])
            case "fault":
                kit.namespace.ledger.record(now, "q", EventKind.FAULT, pick % 3 + 1, "m", 0, None, None, {"fault": "x"})

    def _transaction(self, target, pick, through):
        kit = self.kit
        transaction = kit.declare()
        route = kit.namespace.transfer(kit["plain"], target) if through else kit[target]
        transaction.send(route, [self._message(target, pick) for _ in range(2)])
        if not through:
            transaction.schedule(kit[target], [self._message(target, pick)])
        if pick % 5:
            kit.discharge(transaction, fail=pick % 2 == 0)

    def _message(self, target, n, message_id=None):
        session = f"s{n % 2}" if target == "s" or n % 3 == 0 else None
        ttl = 40 if n % 4 == 3 else None
        return message(
            message_id or uuid.uuid4().hex, session_id=session, time_to_live=ttl, application_properties={"n": n}
        )

    def _keep(self, queue, found, peek_lock):
        if peek_lock:
            self.locked += [(queue, m.token, m.sequence) for m in found]
        else:
            self.expected |= {(queue.name, m.sequence): "completed" for m in found}


def folded(kit):
    """Fold the ledger as the engine reads it: through the JSON of the wire, a few entries at a time."""

    def pull(after):
        entries = [from_json(to_json(entry)) for entry in kit.namespace.ledger.entries(after, 7)]
        return entries, entries[-1].number if entries else after

    ledger = Ledger(pull, 0)
    ledger.refresh()
    return ledger


@given(st.lists(st.tuples(st.sampled_from([*ACTS, *SETTLEMENTS]), st.integers(0, 19)), min_size=40, max_size=60))
@settings(max_examples=150)
def test_any_history_folds_into_the_messages_that_the_broker_holds(acts):
    """Each with its state, and none besides; and what became of the others is what was done to them."""
    history = History()
    for name, pick in acts:
        history.act(name, pick)
    messages = folded(history.kit).all()
    held = {
        (part.name, m.sequence): m.state.partition(" ")[0] for part in history.kit.parts() for m in part.peek(0, 10_000)
    }
    assert {(m.queue, m.sequence): m.outcome for m in messages if m.outcome in HELD} == held
    outcomes = {}
    for m in messages:
        outcomes.setdefault((m.queue, m.sequence), []).append(m.outcome)
    for key, outcome in history.expected.items():
        assert outcome in outcomes[key]


def test_a_transaction_is_no_message():
    """Its end is told in the ledger beside the messages."""
    kit = BrokerKit()
    for fail in (True, False):
        transaction = kit.declare()
        transaction.send(kit["q"], [message("a")])
        kit.discharge(transaction, fail=fail)
    kit.queue.settlement.complete(kit.receiver().one().token)
    ledger = folded(kit)
    assert [(m.facts["message_id"], m.outcome) for m in ledger.all()] == [("a", "completed")]
    assert [e.event for e in ledger.entries if isinstance(e.subject, AboutEntity)] == [
        "transaction_rolled_back",
        "transaction_committed",
    ]
