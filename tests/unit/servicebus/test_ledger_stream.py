"""The ledger as a stream, and the counts that it keeps."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from peeklock.servicebus.gateway.ledger_stream import BATCH, follow
from peeklock.servicebus.ledger import EventKind, Ledger


def record(ledger: Ledger, number: int = 1, event: str = "enqueued", queue: str = "q") -> None:
    for _ in range(number):
        ledger.record(1.0, queue, EventKind(event), 1, "m", 1)


async def take(stream: Any, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < number:
        found += (json.loads(line) for line in (await anext(stream)).splitlines())
    return found


def test_a_follower_gets_all_that_was_and_each_that_comes() -> None:
    """In order and without a gap, over more than one batch."""

    async def main() -> None:
        ledger, ended = Ledger(), asyncio.get_running_loop().create_future()
        record(ledger, BATCH * 2 + 1)
        stream = follow(ledger, 1, ended)
        assert [e["n"] for e in await take(stream, BATCH * 2)] == list(range(2, BATCH * 2 + 2))
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        record(ledger, event="completed")
        assert json.loads(await waiting)["event"] == "completed"
        waiting = asyncio.ensure_future(anext(stream, None))
        await asyncio.sleep(0)
        ended.set_result(None)
        assert await waiting is None

    asyncio.run(main())


def test_a_slow_follower_is_told_what_it_lost() -> None:
    """The ledger keeps nothing for it: a line says how many entries are gone, and then it goes on."""

    async def main() -> None:
        ledger = Ledger(cap=10)
        record(ledger, 5)
        stream = follow(ledger, 0, asyncio.get_running_loop().create_future())
        assert [e["n"] for e in await take(stream, 5)] == [1, 2, 3, 4, 5]
        record(ledger, 30)
        lost, *rest = await take(stream, 11)
        assert lost == {"event": "lost", "lost": 20, "n": 25}
        assert [e["n"] for e in rest] == list(range(26, 36))

    asyncio.run(main())


def test_entries_are_the_same_from_either_end() -> None:
    """`after` and `limit` mean the same whichever end of the ledger is nearer."""
    ledger = Ledger(cap=15)
    record(ledger, 50)
    for after in range(55):
        for limit in (None, 0, 1, 3, 100):
            expected = [n for n in range(36, 51) if n > after][:limit]
            assert [e.number for e in ledger.entries(after, limit)] == expected


def test_counts_hold_what_was_dropped_too() -> None:
    """However often somebody looks, and however much the caps have cost, each entry is counted once."""
    ledger, expected = Ledger(cap=7), Counter[tuple[str, str]]()
    for turn in range(200):
        queue, event = f"q{turn % 3}", ("enqueued", "completed")[turn % 2]
        record(ledger, turn % 5, event, queue)
        expected[queue, event] += turn % 5
        if turn % 17 == 0:
            assert ledger.counts() == +expected
    assert ledger.counts() == +expected
    ledger.forget_counts("q1")
    assert {queue for queue, _ in ledger.counts()} == {"q0", "q2"}
