"""What happens, for several browsers at a time."""

from __future__ import annotations

import asyncio

from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, Topology
from peeklock.ui.feed import MOST_WAITING, Feed
from peeklock.ui.namespace import Namespace


def test_a_slow_browser_is_told_to_look_anew_and_a_fast_one_misses_nothing() -> None:
    """Nothing is kept for the slow one without end; it goes on with what comes next."""
    many = MOST_WAITING // 2 + 100

    async def main(bus: Emulator, client: Client) -> None:
        namespace, gone = Namespace(bus.connection_string()), asyncio.get_running_loop().create_future()
        feed = Feed(lambda: namespace)
        slow, fast = feed.stream(gone), feed.stream(gone)
        for stream in (slow, fast):
            assert b"retry" in await anext(stream)
        first = asyncio.ensure_future(anext(slow))
        assert b'"up": true' in await anext(fast)
        assert b'"up": true' in await first
        for _ in range(2):
            await asyncio.to_thread(client.send, "q", [OutgoingMessage(b"x") for _ in range(many)], True)
            seen = 0
            while seen < many:
                seen += (await anext(fast)).count(b'"enqueued"')
            assert seen == many
        late = await anext(slow)
        assert b"event: resync" in late
        assert late.count(b'"enqueued"') <= MOST_WAITING
        gone.set_result(None)
        for stream in (slow, fast):
            await stream.aclose()
        namespace.close()

    with Emulator(Topology(queues={"q": Queue()})) as bus, Client(bus.connection_string()) as client:
        asyncio.run(asyncio.wait_for(main(bus, client), 60))
