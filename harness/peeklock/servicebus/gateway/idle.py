"""Links on which nothing happens are detached; clients make them anew when they need them (S-5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from peeklock.servicebus.amqp.errors import AmqpError

from .links import Inlet, Outlet
from .tracking import tracked

if TYPE_CHECKING:
    from .peer import Peer

DETACH_FORCED = "amqp:link:detach-forced"
LOOKS = 20
"""How often a link is looked at within the limit: it is detached at most a twentieth too late."""


def detach_idle_links(peers: Iterable[Peer], now: float, limit: float) -> None:
    """Detach the data links that were idle for `limit` seconds; `now` is the event loop's time.

    A receiver that waits for messages (with credit) or for a session is not idle.
    """
    for peer in peers:
        for handler in list(peer.handlers.values()):
            if not isinstance(handler, Inlet | Outlet):
                continue
            link = handler.link
            waits = isinstance(handler, Outlet) and (link.credit > 0 or not link.attach_sent)
            if handler.used or waits:
                handler.used, handler.idle_since = False, now
            elif now - handler.idle_since >= limit:
                peer.server.log("link.detached", peer=peer.name, link=link.name, reason="idle")
                peer.drop(link, AmqpError(DETACH_FORCED, _reason(peer, handler, link.name, limit)))


def _reason(peer: Peer, handler: Inlet | Outlet, name: str, limit: float) -> str:
    kind = "consumer" if isinstance(handler, Outlet) else "publisher"
    minutes, seconds = divmod(int(limit), 60)
    shown = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    text = f"The link '{name}' is force detached. Code: {kind}. Details: IdleTimerExpired: Idle timeout: {shown}."
    return tracked(text, peer.server.namespace.name, handler.queue.name)
