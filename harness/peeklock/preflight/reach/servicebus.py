"""Looks at the entities of a namespace with an access rule: opens links, asks for no message and sends none."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable

from peeklock.preflight.facts import FoundEntity, Unreached
from peeklock.servicebus import Client, ServiceBusError

_MISSING, _REFUSED = "amqp:not-found", "amqp:unauthorized-access"


def look_at_entities(
    connection_string: str, entities: Iterable[str], with_rules: Iterable[str] = (), seconds: float = 5.0
) -> dict[str, FoundEntity] | Unreached:
    """Return what the rule of a connection string may do at each entity; `with_rules` are subscriptions whose rules are told."""
    asked = set(with_rules)
    try:
        with Client(connection_string, timeout=seconds) as client:
            client.connect()
            return {entity: _entity(client, entity, entity in asked) for entity in entities}
    except (OSError, ServiceBusError, ValueError, UnicodeError) as error:
        return _unreached(error)


def _entity(client: Client, entity: str, with_rules: bool) -> FoundEntity:
    send, why = _allowed(client, entity, receiving=False)
    listen, why_not = _allowed(client, entity, receiving=True)
    if _MISSING in (send, listen):
        return FoundEntity(exists=False)
    rules = None
    if with_rules and not listen:
        try:
            rules = frozenset(client.rules(entity))
        except ServiceBusError:
            rules = None
    refused = (why or why_not) if send and listen else ""
    return FoundEntity(True, not send, not listen, refused, rules)


def _allowed(client: Client, entity: str, *, receiving: bool) -> tuple[str, str]:
    """Return the condition and the words of a refusal; both empty when the link opens."""
    try:
        client.try_link(entity, receiving=receiving)
    except ServiceBusError as error:
        if error.condition in (_MISSING, _REFUSED, "amqp:not-allowed"):
            return error.condition, error.description
        raise
    return "", ""


def _unreached(error: Exception) -> Unreached:
    if isinstance(error, ServiceBusError):
        if error.condition == _REFUSED:
            return Unreached("the namespace refuses the key", refused=True)
        return Unreached(f"the namespace answered {error.condition}")
    if isinstance(error, ConnectionRefusedError):
        return Unreached("nothing listens there")
    if isinstance(error, socket.gaierror):
        return Unreached("there is no host of that name")
    if isinstance(error, ssl.SSLError):
        return Unreached("its certificate, or its TLS, is not accepted")
    if isinstance(error, TimeoutError):
        return Unreached("there was no answer in time")
    return Unreached(f"the connection failed ({type(error).__name__})")
