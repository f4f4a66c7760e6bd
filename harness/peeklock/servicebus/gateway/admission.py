"""Lets links in: to entities, to `$cbs` and `$management`, to the coordinator; or refuses them with the reason (S-7, S-23)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peeklock.servicebus.amqp import Link, Receiver, Sender
from peeklock.servicebus.amqp.errors import INTERNAL_ERROR, RESOURCE_LIMIT, UNAUTHORIZED, AmqpError
from peeklock.servicebus.amqp.link import address_of
from peeklock.servicebus.amqp.transactions import is_coordinator
from peeklock.servicebus.amqp.types import UInt
from peeklock.servicebus.auth import path_of
from peeklock.servicebus.broker import BrokerError, Queue
from peeklock.servicebus.broker.transfer import Transfer

from .cbs import CbsRequests
from .client_connection import ClientConnection
from .failures import INTERNAL_TEXT
from .incoming_link import SENDER_CREDIT, IncomingLink
from .limits import STANDARD_MESSAGE_KILOBYTES
from .management import ManagementRequests
from .outgoing_link import OutgoingLink
from .request_link import MAX_REQUEST_SIZE, MAX_TOKEN_SIZE, REQUEST_CREDIT, RequestLink, ResponseLink
from .session_link import SessionLink, wants_session
from .tracking import tracked

_MANAGEMENT = "/$management"
_DESTINATION = "com.microsoft:transfer-destination-address"


def attach(connection: ClientConnection, link: Link) -> None:
    """Let a link in, or refuse it with the reason (S-7)."""
    terminus = link.source if link.is_sender else link.target
    try:
        if isinstance(link, Receiver) and is_coordinator(terminus):
            from . import coordinator  # here: for the first client that wants transactions

            coordinator.attach(connection, link)
            return
        address = address_of(terminus)
        if address is None:
            raise AmqpError("amqp:invalid-field", "The link has no address.")
        path = path_of(address)
        try:
            _connect(connection, link, path)
        finally:
            if path.lower() != "$cbs":
                connection.context.connections.handshakes.attached(connection, path.removesuffix(_MANAGEMENT))
    except BrokerError as error:
        text = tracked(error.description, connection.context.namespace.name, path_of(address_of(terminus) or ""))
        connection.refuse(link, AmqpError(error.condition, text), _known(connection, terminus))
    except AmqpError as error:
        connection.refuse(link, error, _known(connection, terminus))
    except Exception as error:  # noqa: BLE001 -- the client is told, and the log knows where
        connection.context.failures.unforeseen(error, f"the link '{link.name}'")
        internal = AmqpError(INTERNAL_ERROR, INTERNAL_TEXT)
        if link.id in connection.handlers:
            connection.drop(connection.handlers[link.id], internal)
        else:
            connection.refuse(link, internal)


def _known(connection: ClientConnection, terminus: Any) -> str:
    """Return the name of the entity that a terminus means, "" for none: strangers name what they like."""
    try:
        return connection.context.namespace.entity(path_of(address_of(terminus) or "")).name
    except BrokerError:
        return ""


def _connect(connection: ClientConnection, link: Link, path: str) -> None:
    node = path.lower()
    if node == "$cbs":
        _pair(connection, link, node, lambda receiver: CbsRequests(connection, receiver, node))
        return
    if node.endswith(_MANAGEMENT):
        entity = path[: -len(_MANAGEMENT)]
        if not any(connection.claims.allows(path, right) for right in ("Listen", "Send")):
            raise _unauthorized(connection, "Listen", entity)
        queue = connection.context.namespace.entity(entity)
        _pair(connection, link, node, lambda receiver: ManagementRequests(connection, receiver, node, queue))
        connection.had_link = True
        return
    right = "Listen" if link.is_sender else "Send"
    principal = connection.claims.principal(path, right)
    if principal is None:
        raise _unauthorized(connection, right, path)
    queue = connection.context.namespace.entity(path)
    connection.had_link = True
    if isinstance(link, Sender):
        queue.gate.admit_receiver()
        if queue.faults is not None:
            queue.faults.admit("receive", principal)
        if (transacted := connection.scopes.get(link.session)) is not None:
            transacted.admit(link, queue)
        if len(queue.dispatch.consumers) >= connection.context.limits.receivers:
            raise AmqpError(
                RESOURCE_LIMIT, f"'{queue.name}' has {len(queue.dispatch.consumers)} receivers: no more are taken."
            )
        kind = SessionLink if wants_session(link, queue) else OutgoingLink
        client_id = link.properties.get("com.microsoft:receiver-name")
        outgoing = kind(
            connection, link, queue, client_id=None if client_id is None else str(client_id), principal=principal
        )
        connection.context.tracker.attached(principal, outgoing.client)
        if isinstance(outgoing, SessionLink):
            outgoing.open()
            connection.handlers[link.id] = outgoing
            return
        connection.handlers[link.id] = outgoing
        link.accept()
        queue.dispatch.add(outgoing)
        outgoing.on_credit()
    elif isinstance(link, Receiver):
        transfer = _transfer(connection, link, queue)
        if transfer is None:
            queue.gate.admit_sender()
        else:
            transfer.admit_sender()
        connection.handlers[link.id] = IncomingLink(
            connection, link, transfer.via if transfer else queue, principal, transfer
        )
        kilobytes = queue.settings.max_message_size_in_kilobytes
        extra = (
            {"com.microsoft:max-message-batch-size": UInt(1 << 20)} if kilobytes > STANDARD_MESSAGE_KILOBYTES else None
        )
        link.accept(max_message_size=kilobytes << 10, properties=extra)
        link.grant(SENDER_CREDIT, auto=True)


def _transfer(connection: ClientConnection, link: Receiver, queue: Queue) -> Transfer | None:
    """Return the way of what a sender sends, if it leads through one entity into another (S-17, S-75)."""
    destination = link.properties.get(_DESTINATION)
    if destination is None:
        transacted = connection.scopes.get(link.session)
        return None if transacted is None else transacted.admit(link, queue)
    path = path_of(str(destination))
    if not connection.claims.allows(path, "Send"):
        raise _unauthorized(connection, "Send", path)
    return connection.context.namespace.transfer(connection.context.namespace.top_level(queue), path)


def _pair(connection: ClientConnection, link: Link, node: str, requests: Callable[[Receiver], RequestLink]) -> None:
    if isinstance(link, Sender):
        connection.handlers[link.id] = ResponseLink(connection, link, node)
        link.accept()
    elif isinstance(link, Receiver):
        connection.handlers[link.id] = requests(link)
        link.accept(max_message_size=MAX_TOKEN_SIZE if node == "$cbs" else MAX_REQUEST_SIZE)
        link.grant(REQUEST_CREDIT, auto=True)


def _unauthorized(connection: ClientConnection, right: str, path: str) -> AmqpError:
    context = connection.context
    if principal := connection.claims.shown_for(path):
        context.tell_refusal(path, right, principal)
    text = f"Unauthorized access. '{right}' claim(s) are required to perform this operation. Resource: '{path}'."
    return AmqpError(UNAUTHORIZED, tracked(text, context.namespace.name, path))
