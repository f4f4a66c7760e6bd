"""The end of a turn: what has happened is kept before anybody is told, and many share one commit."""

from __future__ import annotations

import asyncio

import pytest

from peeklock.servicebus.gateway.turns import TurnScheduler
from peeklock.servicebus.store import StoreError


class Happenings(list):
    """What was done, in order: it is the store, and makes the connections."""

    failing = False

    def commit(self):
        if self.failing:
            raise StoreError("the disk is full", "make room")
        self.append("kept")

    def connection(self, name):
        return Connection(name, self)


class Connection:
    dirty = False

    def __init__(self, name, happenings):
        self.name, self.happenings = name, happenings

    def flush(self):
        self.dirty = False
        self.happenings.append(self.name)


@pytest.fixture
def happenings():
    return Happenings()


def test_input_that_came_at_the_same_time_shares_one_commit(happenings):
    """Ten clients that spoke at once cost one commit; each is answered after it."""

    async def main():
        turns = TurnScheduler(happenings, pytest.fail, asyncio.get_running_loop().call_soon)
        for number in range(10):
            asyncio.get_running_loop().call_soon(turns.input_handled, happenings.connection(number))
        await asyncio.sleep(0)
        assert happenings == []
        await asyncio.sleep(0)
        assert happenings == ["kept", *range(10)]
        turns.input_handled(happenings.connection("later"))
        await asyncio.sleep(0)
        assert happenings[11:] == ["kept", "later"]

    asyncio.run(main())


def test_a_request_that_must_be_answered_now_takes_all_with_it(happenings):
    """`end` keeps what happened before it returns, and what was on its way ends with it."""

    async def main():
        turns = TurnScheduler(happenings, pytest.fail, asyncio.get_running_loop().call_soon)
        turns.input_handled(happenings.connection("amqp"))
        turns.end()
        assert happenings == ["kept", "amqp"]

    asyncio.run(main())


def test_what_cannot_be_kept_is_told_before_anybody_is_answered(happenings):
    """The failure comes first: whoever owns the connections breaks them."""
    happenings.failing = True

    async def main():
        turns = TurnScheduler(happenings, lambda _: happenings.append("failed"), asyncio.get_running_loop().call_soon)
        turns.input_handled(happenings.connection("amqp"))
        await asyncio.sleep(0)
        assert happenings[0] == "failed"
        assert turns.failure is not None

    asyncio.run(main())


def test_without_a_store_answers_go_out_at_once(happenings):
    """Nobody waits for anybody: who spoke first, then whom it concerns."""
    turns = TurnScheduler(None, pytest.fail, pytest.fail)
    turns.touch(happenings.connection("other"))
    turns.input_handled(happenings.connection("who spoke"))
    assert happenings == ["who spoke", "other"]
