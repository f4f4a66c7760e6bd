"""Reading a stored namespace: first its definition, then, when its entities stand, what they held."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from peeklock.servicebus.broker import Namespace, Queue
from peeklock.servicebus.broker.message import ACTIVE, DEFERRED, LOCKED, LOCKED_DEFERRED, SCHEDULED, Message
from peeklock.servicebus.broker.subscription import Subscription
from peeklock.servicebus.topology import Topology

from .codec import load_content, load_entry, load_rules, load_settings

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
    """Return how the namespace was made; None for a file that is new."""
    row = database.execute("SELECT topology, port, started_at FROM namespace").fetchone()
    return None if row is None else Definition(json.loads(row[0]), row[1], row[2])


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
    for path, text in rows["Queue"]:
        _put(queues, path, load_settings("Queue", text))
    for path, text in rows["Topic"]:
        known = next((topic for name, topic in topics.items() if name.lower() == path.lower()), None)
        subscriptions = {} if known is None else dict(known.subscriptions)
        gone = [name for name in subscriptions if f"{path}{_SUBSCRIPTIONS}{name}".lower() in removed]
        for name in gone:
            del subscriptions[name]
        _put(topics, path, replace(load_settings("Topic", text), subscriptions=subscriptions))
    for path, text in rows["Subscription"]:
        topic_name, _, name = path.partition(_SUBSCRIPTIONS)
        topic = topics[topic_name]
        subscriptions = dict(topic.subscriptions)
        _put(subscriptions, name, load_settings("Subscription", text))
        topics[topic_name] = replace(topic, subscriptions=subscriptions)
    return queues, topics


def _put(entities: dict[str, Any], name: str, settings: Any) -> None:
    for known in [known for known in entities if known.lower() == name.lower()]:
        del entities[known]
    entities[name] = settings


def fill(database: sqlite3.Connection, namespace: Namespace) -> dict[Queue, int]:
    """Give a namespace that was made from `merge` what its entities held; return the rows of its entities."""
    _fill_ledger(database, namespace)
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
        entity.restore(_messages(database, row), next_sequence, history.fetchall())
        if entity.sessions is not None:
            for session_id, state, at in database.execute(
                "SELECT id, state, set_at FROM session WHERE entity = ?", (row,)
            ):
                entity.sessions.restore(session_id, state, at)
        if entity.gate.status != status:
            entity.gate.set_status(status)
    return ids


def _messages(database: sqlite3.Connection, row: int) -> list[Message]:
    messages = []
    for (
        sequence,
        state,
        enqueued_at,
        expires_at,
        count,
        token,
        until,
        consumer,
        origin,
        hops,
        body,
    ) in database.execute(
        "SELECT sequence, state, enqueued_at, expires_at, delivery_count, token, locked_until, consumer, "
        "origin, hops, body FROM message JOIN content USING (entity, sequence) WHERE entity = ? ORDER BY sequence",
        (row,),
    ):
        message = Message(load_content(body), sequence, enqueued_at, expires_at)
        message.state = _STATES[state]
        message.delivery_count = count
        message.token, message.locked_until = token, until
        message.consumer, message.origin, message.hops = consumer, origin, hops
        messages.append(message)
    return messages


def _fill_ledger(database: sqlite3.Connection, namespace: Namespace) -> None:
    row = database.execute("SELECT cursor FROM namespace").fetchone()
    if row is None:
        return
    namespace.ledger.restore(row[0], map(load_entry, database.execute("SELECT * FROM ledger ORDER BY n")))


def read_records(database: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Return what the administration API knew of entities, by path in lower case."""
    rows = database.execute("SELECT path, record FROM entity WHERE record IS NOT NULL")
    return {path.lower(): json.loads(record) for path, record in rows}
