"""Reading a stored namespace: first its definition, then, when its entities stand, what they held."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from peeklock.servicebus.auth import RIGHTS
from peeklock.servicebus.broker import Namespace, Queue
from peeklock.servicebus.broker.message import ACTIVE, DEFERRED, LOCKED, LOCKED_DEFERRED, ORDER, SCHEDULED, Message
from peeklock.servicebus.broker.subscription import Subscription
from peeklock.servicebus.topology import Topology

from .checking import check
from .codec import Contents, load_entry, load_rules, load_settings

_STATES = {state: state for state in (ACTIVE, LOCKED, LOCKED_DEFERRED, DEFERRED, SCHEDULED)}
"""The broker compares states by identity."""
_SUBSCRIPTIONS = "/Subscriptions/"


@dataclass(frozen=True, slots=True)
class Definition:
    """How a namespace was made, where it listened, and since when (epoch seconds) it has been there."""

    topology: dict[str, Any]
    port: int
    started_at: float


def read_definition(database: sqlite3.Connection) -> Definition | None:
    """Return how the namespace was made; None for a file that is new. Raises `Damage`."""
    rows = database.execute("SELECT topology, port, started_at FROM namespace").fetchall()
    if not rows:
        check(database.execute("SELECT * FROM ledger").fetchone() is None, "namespace: nothing says how it was made")
        return None
    check(len(rows) == 1, f"namespace: {len(rows)} rows, expected one")
    topology, port, started_at = rows[0]
    document = json.loads(topology)
    Topology.from_json(document)
    return Definition(document, port, started_at)


def merge(database: sqlite3.Connection, given: Topology) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of queues and of topics that hold. They are no `Topology`: what stands there may forward to an entity
    that was deleted since."""
    removed = {path.lower() for (path,) in database.execute("SELECT path FROM removed")}
    queues = {name: queue for name, queue in given.queues.items() if name.lower() not in removed}
    topics = {name: topic for name, topic in given.topics.items() if name.lower() not in removed}
    stored = database.execute("SELECT path, kind, settings FROM entity ORDER BY id").fetchall()
    rows = {
        kind: [(path, text) for path, of, text in stored if of == kind] for kind in ("Queue", "Topic", "Subscription")
    }
    _put(queues, {path: load_settings("Queue", text) for path, text in rows["Queue"]})
    known = {name.lower(): topic for name, topic in topics.items()}
    stood: dict[str, Any] = {}
    for path, text in rows["Topic"]:
        topic = known.get(path.lower())
        subscriptions = {} if topic is None else topic.subscriptions
        kept = {
            name: it for name, it in subscriptions.items() if f"{path}{_SUBSCRIPTIONS}{name}".lower() not in removed
        }
        stood[path] = replace(load_settings("Topic", text), subscriptions=kept)
    _put(topics, stood)
    more: dict[str, dict[str, Any]] = {}
    for path, text in rows["Subscription"]:
        topic_name, _, name = path.partition(_SUBSCRIPTIONS)
        more.setdefault(topic_name, {})[name] = load_settings("Subscription", text)
    for topic_name, subscriptions in more.items():
        all_of_them = dict(topics[topic_name].subscriptions)
        _put(all_of_them, subscriptions)
        topics[topic_name] = replace(topics[topic_name], subscriptions=all_of_them)
    return queues, topics


def _put(entities: dict[str, Any], stored: dict[str, Any]) -> None:
    """What is stored takes the place of what has its name in another spelling."""
    names = {name.lower(): name for name in entities}
    for name, settings in stored.items():
        entities.pop(names.get(name.lower(), name), None)
        entities[name] = settings


def fill(database: sqlite3.Connection, namespace: Namespace) -> dict[Queue, int]:
    """Give a namespace that was made from `merge` what its entities held; return the rows of its entities. Raises `Damage`."""
    bodies = Contents()
    _fill_ledger(database, namespace, bodies)
    ids: dict[Queue, int] = {}
    for row, path, status, rules, next_sequence in database.execute(
        "SELECT id, path, status, rules, next_sequence FROM entity ORDER BY id"
    ).fetchall():
        entity = namespace.entity(path)
        ids[entity] = row
        if isinstance(entity, Subscription) and rules is not None:
            for rule in load_rules(rules):
                entity.add_rule(rule)
        history = database.execute("SELECT key, at FROM duplicate WHERE entity = ? ORDER BY at", (row,))
        messages = _messages(database, row, path, bodies)
        last = messages[-1].sequence & ORDER if messages else 0
        check(last < next_sequence, f"{path}: the next sequence number is {next_sequence}, and {last} is there")
        entity.restore(messages, next_sequence, history.fetchall())
        if entity.sessions is not None:
            for kept in database.execute("SELECT id, state, set_at FROM session WHERE entity = ?", (row,)):
                entity.sessions.restore(*kept)
        if entity.gate.status != status:
            entity.gate.set_status(status)
    return ids


def _messages(database: sqlite3.Connection, entity: int, path: str, bodies: Contents) -> list[Message]:
    messages = []
    for row in database.execute(
        "SELECT sequence, state, enqueued_at, expires_at, delivery_count, token, locked_until, consumer, "
        "origin, hops, body FROM message JOIN content USING (entity, sequence) WHERE entity = ?",
        (entity,),
    ):
        sequence, state, enqueued_at, expires_at, count, token, until, consumer, origin, hops, body = row
        content = bodies.load(body)
        known = state in _STATES and (state != SCHEDULED or content.scheduled_at is not None)
        check(known, f"{path}: message {sequence} is {state!r:.60}")
        message = Message(content, sequence, enqueued_at, expires_at)
        message.state = _STATES[state]
        message.delivery_count = count
        message.token, message.locked_until = token, until
        message.consumer, message.origin, message.hops = consumer, origin, hops
        messages.append(message)
    return sorted(messages)


def _fill_ledger(database: sqlite3.Connection, namespace: Namespace, bodies: Contents) -> None:
    row = database.execute("SELECT cursor FROM namespace").fetchone()
    if row is None:
        return
    rows = database.execute("SELECT * FROM ledger ORDER BY n")
    entries = [load_entry(entry, bodies) for entry in rows]
    last = entries[-1].number if entries else row[0]
    check(last == row[0], f"ledger: its last entry is {last}, expected {row[0]}")
    # a turn that told more than the ledger keeps has left a gap: what comes behind the last one counts
    tail = [entry for place, entry in enumerate(entries, row[0] - len(entries) + 1) if entry.number == place]
    namespace.ledger.restore(row[0], tail)


def read_records(database: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Return what the administration API knew of entities, by path in lower case. Raises `Damage`."""
    records: dict[str, dict[str, Any]] = {}
    for path, text in database.execute("SELECT path, record FROM entity WHERE record IS NOT NULL"):
        record = json.loads(text)
        told = f"{path}: what the administration API knew of it is {text!r:.60}"
        check(isinstance(record, dict) and record.keys() == {"created", "updated", "kept", "authorization"}, told)
        check(all(isinstance(record[name], int | float) for name in ("created", "updated")), told)
        check(all(isinstance(value, str) for value in record["kept"].values()), told)
        for rule in record["authorization"]:
            check(isinstance(rule["KeyName"], str) and isinstance(rule["PrimaryKey"], str), told)
            check(set(rule["Rights"]) <= set(RIGHTS), told)
        records[path.lower()] = record
    return records
