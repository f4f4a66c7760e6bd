"""Lets links in: to entities, to `$cbs` and `$management`, to the coordinator; or refuses them with the reason (S-7, S-23)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from peeklock.servicebus.amqp import Link, Receiver, Sender
from peeklock.servicebus.amqp.errors import RESOURCE_LIMIT, UNAUTHORIZED, AmqpError
from peeklock.servicebus.amqp.link import address_of
from peeklock.servicebus.amqp.transactions import is_coordinator
from peeklock.servicebus.amqp.types import UInt
from peeklock.servicebus.auth import path_of
from peeklock.servicebus.broker import BrokerError, Queue

from . import links
from .cbs import CbsRequests
from .management import ManagementRequests
from .responder import MAX_REQUEST_SIZE, MAX_TOKEN_SIZE, REQUEST_CREDIT, RequestLink, ResponseLink
from .sessions import SessionOutlet, wants_session
from .tracking import tracked

if TYPE_CHECKING:
    from peeklock.servicebus.broker.transfer import Transfer

    from .peer import Peer

_MANAGEMENT = "/$management"
_DESTINATION = "com.microsoft:transfer-destination-address"


def attach(peer: Peer, link: Link) -> None:
    """Let a link in, or refuse it with the reason (S-7)."""
    terminus = link.source if link.is_sender else link.target
    try:
        if not link.is_sender and is_coordinator(terminus):
            from . import coordinator  # here: for the first client that wants transactions

            coordinator.attach(peer, link)
            return
        address = address_of(terminus)
        if address is None:
            raise AmqpError("amqp:invalid-field", "The link has no address.")
        _connect(peer, link, path_of(address))
    except BrokerError as error:
        text = tracked(error.description, peer.server.namespace.name, path_of(address_of(terminus) or ""))
        peer.refuse(link, AmqpError(error.condition, text), _known(peer, terminus))
    except AmqpError as error:
        peer.refuse(link, error, _known(peer, terminus))


def _known(peer: Peer, terminus: Any) -> str:
    """Return the name of the entity that a terminus means, "" for none: strangers name what they like."""
    try:
        return peer.server.namespace.entity(path_of(address_of(terminus) or "")).name
    except BrokerError:
        return ""


def _connect(peer: Peer, link: Link, path: str) -> None:
    node = path.lower()
    if node == "$cbs":
        _pair(peer, link, node, lambda receiver: CbsRequests(peer, receiver, node))
        return
    if node.endswith(_MANAGEMENT):
        entity = path[: -len(_MANAGEMENT)]
        if not any(peer.allows(path, right) for right in ("Listen", "Send")):
            raise _unauthorized(peer, "Listen", entity)
        queue = peer.server.namespace.entity(entity)
        _pair(peer, link, node, lambda receiver: ManagementRequests(peer, receiver, node, entity, queue))
        peer.had_link = True
        return
    right = "Listen" if link.is_sender else "Send"
    principal = peer.principal(path, right)
    if principal is None:
        raise _unauthorized(peer, right, path)
    queue = peer.server.namespace.entity(path)
    peer.had_link = True
    if isinstance(link, Sender):
        queue.admit_receiver()
        if queue.faults is not None:
            queue.faults.admit("receive")
        if (transacted := peer.transacted.get(link.session)) is not None:
            transacted.admit(link, queue)
        if len(queue.consumers) >= peer.server.limits.receivers:
            raise AmqpError(RESOURCE_LIMIT, f"'{queue.name}' has {len(queue.consumers)} receivers: no more are taken.")
        kind = SessionOutlet if wants_session(link, queue) else links.Outlet
        client_id = link.properties.get("com.microsoft:receiver-name")
        outlet = kind(peer, link, queue, client_id=None if client_id is None else str(client_id), principal=principal)
        peer.server.hands.take_up(outlet)
        if isinstance(outlet, SessionOutlet):
            outlet.open()
            peer.handlers[link.id] = outlet
            return
        peer.handlers[link.id] = outlet
        link.accept()
        queue.add_consumer(outlet)
        outlet.on_credit()
    elif isinstance(link, Receiver):
        transfer = _transfer(peer, link, queue)
        if transfer is None:
            queue.admit_sender()
        else:
            transfer.admit_sender()
        peer.handlers[link.id] = links.Inlet(peer, link, transfer.via if transfer else queue, principal, transfer)
        kilobytes = queue.settings.max_message_size_in_kilobytes
        extra = (
            {"com.microsoft:max-message-batch-size": UInt(1 << 20)}
            if kilobytes > links.STANDARD_MESSAGE_KILOBYTES
            else None
        )
        link.accept(max_message_size=kilobytes << 10, properties=extra)
        link.grant(links.SENDER_CREDIT, auto=True)


def _transfer(peer: Peer, link: Receiver, queue: Queue) -> Transfer | None:
    """Return the way of what a sender sends, if it leads through one entity into another (S-17, S-75)."""
    destination = link.properties.get(_DESTINATION)
    if destination is None:
        transacted = peer.transacted.get(link.session)
        return None if transacted is None else transacted.admit(link, queue)
    path = path_of(str(destination))
    if not peer.allows(path, "Send"):
        raise _unauthorized(peer, "Send", path)
    return peer.server.namespace.transfer(peer.server.namespace.top_level(queue), path)


def _pair(peer: Peer, link: Link, node: str, requests: Callable[[Receiver], RequestLink]) -> None:
    if isinstance(link, Sender):
        peer.handlers[link.id] = ResponseLink(peer, link, node)
        link.accept()
    elif isinstance(link, Receiver):
        peer.handlers[link.id] = requests(link)
        link.accept(max_message_size=MAX_TOKEN_SIZE if node == "$cbs" else MAX_REQUEST_SIZE)
        link.grant(REQUEST_CREDIT, auto=True)


def _unauthorized(peer: Peer, right: str, path: str) -> AmqpError:
    server = peer.server
    text = f"Unauthorized access. '{right}' claim(s) are required to perform this operation. Resource: '{path}'."
    return AmqpError(UNAUTHORIZED, tracked(text, server.namespace.name, path))
