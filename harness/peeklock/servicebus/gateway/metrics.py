"""Counts in Prometheus' text form: what entities hold, what has happened to messages, who is connected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from peeklock.servicebus.broker import Queue

from .context import NamespaceContext

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "peeklock_servicebus_"
Sample = tuple[Mapping[str, str], int]


def render(namespaces: Iterable[NamespaceContext]) -> str:
    """Return the metrics of namespaces."""
    each = [(context.namespace.name, context) for context in namespaces]
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


def _messages(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        for entity in context.namespace.entities():
            states = {
                "active": entity.log.active,
                "locked": entity.log.locked,
                "scheduled": entity.log.scheduled,
                "deferred": entity.log.deferred,
                "dead_letter": _held(entity.dead_letters),
                "transfer_dead_letter": _held(entity.transfer_dead_letters),
            }
            for state, count in states.items():
                yield {"namespace": name, "entity": entity.name, "state": state}, count


def _held(queue: Queue | None) -> int:
    return 0 if queue is None else queue.log.active + queue.log.locked + queue.log.deferred


def _sizes(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        for entity in context.namespace.entities():
            yield {"namespace": name, "entity": entity.name}, entity.stored_bytes()


def _operations(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        for (entity, event), count in sorted(context.namespace.ledger.counts().items()):
            yield {"namespace": name, "entity": entity, "operation": event}, count


def _errors(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        for (entity, condition), count in sorted(context.failures.refused.items()):
            yield {"namespace": name, "entity": entity, "condition": condition}, count


def _links(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        found: Counter[tuple[str, str]] = Counter()
        for _, handler in context.connections.handlers():
            found["" if handler.queue is None else handler.queue.name, handler.role] += 1
        for (entity, role), count in sorted(found.items()):
            yield {"namespace": name, "entity": entity, "role": role}, count


def _connections(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        yield {"namespace": name, "protocol": "amqp"}, len(context.connections.amqp)
        yield {"namespace": name, "protocol": "other"}, len(context.connections.other)


def _opened(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        yield {"namespace": name}, context.connections.opened


def _dropped(namespaces: Iterable[tuple[str, NamespaceContext]]) -> Iterator[Sample]:
    for name, context in namespaces:
        yield {"namespace": name}, context.namespace.ledger.dropped
