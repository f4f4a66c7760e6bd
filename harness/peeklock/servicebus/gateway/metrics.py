"""Counts in Prometheus' text form: what entities hold, what has happened to messages, who is connected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.broker import Queue

from .links import Inlet, Outlet

if TYPE_CHECKING:
    from .server import Server

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "peeklock_servicebus_"
Sample = tuple[Mapping[str, str], int]


def render(servers: Mapping[str, Server]) -> str:
    """Return the metrics of namespaces by name."""
    each = list(servers.items())
    families: list[tuple[str, str, str, Iterable[Sample]]] = [
        ("messages", "gauge", "Messages that an entity holds, by state", _messages(each)),
        ("size_bytes", "gauge", "Encoded size of the messages that an entity holds", _sizes(each)),
        (
            "operations_total",
            "counter",
            "What has happened to messages, by the events of the ledger",
            _operations(each),
        ),
        ("errors_total", "counter", "Operations that were refused, by condition", _errors(each)),
        ("links", "gauge", "Links that are open, by role", _links(each)),
        ("connections", "gauge", "Connections that are open, by protocol", _connections(each)),
        ("connections_opened_total", "counter", "AMQP connections that were ever opened", _opened(each)),
        ("ledger_dropped_total", "counter", "Entries that the ledger had to forget", _dropped(each)),
    ]
    lines: list[str] = []
    for name, kind, text, samples in families:
        lines += (f"# HELP {_PREFIX}{name} {text}.", f"# TYPE {_PREFIX}{name} {kind}")
        lines += (f"{_PREFIX}{name}{{{_labels(labels)}}} {value}" for labels, value in samples)
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _messages(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        for entity in server.namespace.entities():
            states = {
                "active": entity.active,
                "locked": entity.locked_count,
                "scheduled": entity.scheduled_count,
                "deferred": entity.deferred,
                "dead_letter": _held(entity.dead_letters),
                "transfer_dead_letter": _held(entity.transfer_dead_letters),
            }
            for state, count in states.items():
                yield {"namespace": name, "entity": entity.name, "state": state}, count


def _held(queue: Queue | None) -> int:
    return 0 if queue is None else queue.active + queue.locked_count + queue.deferred


def _sizes(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        for entity in server.namespace.entities():
            yield {"namespace": name, "entity": entity.name}, entity.stored_bytes()


def _operations(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        for (entity, event), count in sorted(server.namespace.ledger.counts().items()):
            yield {"namespace": name, "entity": entity, "operation": event}, count


def _errors(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        for (entity, condition), count in sorted(server.errors.items()):
            yield {"namespace": name, "entity": entity, "condition": condition}, count


def _links(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        found: Counter[tuple[str, str]] = Counter()
        for peer in server.peers:
            for link in peer.amqp.links.values():
                handler = peer.handlers.get(link.id)
                found[_entity(handler), _role(handler)] += 1
        for (entity, role), count in sorted(found.items()):
            yield {"namespace": name, "entity": entity, "role": role}, count


def _entity(handler: Any) -> str:
    queue = getattr(handler, "queue", None)
    return queue.name if isinstance(queue, Queue) else ""


def _role(handler: Any) -> str:
    return "receiver" if isinstance(handler, Outlet) else "sender" if isinstance(handler, Inlet) else "request"


def _connections(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        yield {"namespace": name, "protocol": "amqp"}, len(server.peers)
        yield {"namespace": name, "protocol": "other"}, len(server.waiting)


def _opened(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        yield {"namespace": name}, server.opened


def _dropped(servers: Iterable[tuple[str, Server]]) -> Iterator[Sample]:
    for name, server in servers:
        yield {"namespace": name}, server.namespace.ledger.dropped
