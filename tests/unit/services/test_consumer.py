"""The policy of the worker loop, against a receiver that keeps account of what is done to each message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageLockLostError

from services.shared.consumer import Consumer
from services.shared.correlation import current_correlation_id
from services.shared.outcomes import PermanentFailure, TransientFailure

Events = list[dict[str, object]]


@dataclass
class FakeMessage:
    message_id: str
    delivery_count: int = 0
    correlation_id: str | None = None
    application_properties: dict[Any, Any] = field(default_factory=dict)
    locked_until_utc: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(seconds=60))


class FakeReceiver:
    def __init__(self, *messages: FakeMessage) -> None:
        self.waiting = list(messages)
        self.done: list[tuple[Any, ...]] = []
        self.lock_is_lost = False
        self.renewed = asyncio.Event()

    async def receive_messages(self, max_message_count: int | None = None, max_wait_time: float | None = None) -> Any:
        assert max_message_count == 1
        if not self.waiting:
            await asyncio.Event().wait()
        return [self.waiting.pop(0)]

    async def renew_message_lock(self, message: FakeMessage) -> None:
        self.done.append(("renewed", message.message_id))
        self.renewed.set()
        if self.lock_is_lost:
            raise MessageLockLostError
        message.locked_until_utc = datetime.now(UTC) + timedelta(seconds=60)

    async def complete_message(self, message: FakeMessage) -> None:
        if self.lock_is_lost:
            raise MessageLockLostError
        self.done.append(("completed", message.message_id))

    async def abandon_message(self, message: FakeMessage) -> None:
        self.done.append(("abandoned", message.message_id))

    async def dead_letter_message(
        self, message: FakeMessage, reason: str | None = None, error_description: str | None = None
    ) -> None:
        self.done.append(("dead_lettered", message.message_id, reason, error_description))


Handler = Callable[[ServiceBusReceivedMessage], Awaitable[None]]


def _consume(receiver: FakeReceiver, handler: Handler, grace: float = 5.0, **more: Any) -> None:
    """Run one lane until every message has been handled."""

    async def run() -> None:
        async def handle(message: ServiceBusReceivedMessage) -> None:
            if not receiver.waiting:
                consumer.stop()
            await handler(message)

        consumer = _consumer(handle, grace, **more)
        watching = asyncio.create_task(consumer._watch_grace())
        await consumer.drain(cast("Any", receiver))
        watching.cancel()

    asyncio.run(run())


def _consumer(handler: Handler, grace: float = 5.0, **more: Any) -> Consumer:
    client = cast("ServiceBusClient", None)
    settings: dict[str, Any] = {"concurrency": 1, "abandon_delay": 0.001, "grace": grace, **more}
    return Consumer(client, "q", handler, service="svc", name="worker", **settings)


def _names(events: Events) -> list[object]:
    return [event["event"] for event in events]


def test_a_message_is_completed_after_its_handler_and_not_before(events: Events) -> None:
    receiver = FakeReceiver(FakeMessage("m"))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        receiver.done.append(("effect", "m"))

    _consume(receiver, handle)
    assert receiver.done == [("effect", "m"), ("completed", "m")]
    assert _names(events) == ["worker.received", "worker.completed"]
    assert events[0]["delivery"] == 1


def test_a_permanent_failure_is_dead_lettered_with_reason_and_description(events: Events) -> None:
    receiver = FakeReceiver(FakeMessage("m"))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        raise PermanentFailure("ContractViolation", "kind: is required")

    _consume(receiver, handle)
    assert receiver.done == [("dead_lettered", "m", "ContractViolation", "kind: is required")]
    assert events[-1]["event"] == "worker.dead_lettered"


@pytest.mark.parametrize("error", [TransientFailure("503"), RuntimeError("a bug")])
def test_a_transient_or_unforeseen_failure_is_abandoned(events: Events, error: Exception) -> None:
    receiver = FakeReceiver(FakeMessage("m", delivery_count=1))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        raise error

    _consume(receiver, handle)
    assert receiver.done == [("abandoned", "m")]
    assert events[-1]["event"] == "worker.abandoned"
    assert events[-1]["delivery"] == 2


def test_only_an_unforeseen_failure_is_logged_as_an_error(events: Events) -> None:
    async def handle(message: ServiceBusReceivedMessage) -> None:
        raise TransientFailure("busy") if message.message_id == "busy" else RuntimeError("a bug")

    _consume(FakeReceiver(FakeMessage("busy"), FakeMessage("bug")), handle)
    assert [event["message_id"] for event in events if event["log_level"] == "error"] == ["bug"]


def test_a_poison_message_does_not_stop_the_others() -> None:
    receiver = FakeReceiver(FakeMessage("bad"), FakeMessage("good"))

    async def handle(message: ServiceBusReceivedMessage) -> None:
        if message.message_id == "bad":
            raise RuntimeError

    _consume(receiver, handle)
    assert receiver.done == [("abandoned", "bad"), ("completed", "good")]


def test_a_lock_is_renewed_while_the_handler_works_and_never_after_settling() -> None:
    message = FakeMessage("m", locked_until_utc=datetime.now(UTC) + timedelta(milliseconds=100))
    receiver = FakeReceiver(message)

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        await receiver.renewed.wait()

    _consume(receiver, handle)
    assert receiver.done == [("renewed", "m"), ("completed", "m")]


def test_a_lost_lock_is_no_error_and_the_lane_lives_on(events: Events) -> None:
    receiver = FakeReceiver(FakeMessage("m"))
    receiver.lock_is_lost = True

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        pass

    _consume(receiver, handle)
    assert _names(events) == ["worker.received", "worker.lock_lost"]


def test_a_lock_that_cannot_be_renewed_is_told_lost_once_and_at_the_end(events: Events) -> None:
    """Whoever counts lost locks counts deliveries: a renewal fails for other reasons, too, such as a cut connection."""
    receiver = FakeReceiver(FakeMessage("m", locked_until_utc=datetime.now(UTC) + timedelta(milliseconds=100)))
    receiver.lock_is_lost = True

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        await receiver.renewed.wait()

    _consume(receiver, handle)
    assert _names(events) == ["worker.received", "worker.renewal_failed", "worker.lock_lost"]


def test_the_handler_works_under_the_messages_correlation_id() -> None:
    seen = []

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        seen.append(current_correlation_id())

    _consume(FakeReceiver(FakeMessage("m", application_properties={b"correlation_id": b"c-1"})), handle)
    assert seen == ["c-1"]


def test_a_stop_lets_what_is_in_hand_finish() -> None:
    receiver = FakeReceiver(FakeMessage("m"))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        await asyncio.sleep(0.02)

    _consume(receiver, handle)
    assert receiver.done == [("completed", "m")]


def test_a_stop_abandons_what_does_not_finish_within_the_grace(events: Events) -> None:
    receiver = FakeReceiver(FakeMessage("m"))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        await asyncio.Event().wait()

    _consume(receiver, handle, grace=0.01)
    assert receiver.done == [("abandoned", "m")]
    assert events[-1]["reason"] == "stopping"


def test_an_idle_lane_stops_at_once() -> None:
    async def run() -> None:
        async def handle(_message: ServiceBusReceivedMessage) -> None:
            raise AssertionError("nothing to handle")

        consumer = _consumer(handle)
        draining = asyncio.create_task(consumer.drain(cast("Any", FakeReceiver())))
        await asyncio.sleep(0)
        consumer.stop()
        async with asyncio.timeout(5):
            await draining

    asyncio.run(run())


@pytest.mark.parametrize("error", [TransientFailure("503"), RuntimeError("a bug")])
def test_the_last_attempt_dead_letters_with_what_went_wrong(error: Exception) -> None:
    receiver = FakeReceiver(FakeMessage("second", delivery_count=1), FakeMessage("third", delivery_count=2))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        raise error

    _consume(receiver, handle, max_attempts=3)
    assert receiver.done[0] == ("abandoned", "second")
    what, _, reason, description = receiver.done[1]
    assert (what, reason) == ("dead_lettered", "AttemptsSpent")
    assert description in ("3 attempts, last: 503", "3 attempts, last: unexpected error")


def test_a_lock_is_kept_until_the_message_is_given_back() -> None:
    """Else another delivery would begin, and the pause before the next one would be none."""
    message = FakeMessage("m", locked_until_utc=datetime.now(UTC) + timedelta(milliseconds=100))
    receiver = FakeReceiver(message)

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        raise TransientFailure("503")

    async def run() -> None:
        consumer = _consumer(handle, abandon_delay=5.0)
        draining = asyncio.create_task(consumer.drain(cast("Any", receiver)))
        await receiver.renewed.wait()
        consumer.stop()
        await draining

    asyncio.run(run())
    assert receiver.done == [("renewed", "m"), ("abandoned", "m")]


@pytest.mark.parametrize(
    ("limit", "how", "why"),
    [
        ({"max_attempts": 3}, "dead_lettered", "AttemptsSpent: 3 attempts, last: 503"),
        ({"max_deliveries": 3}, "abandoned", "3 attempts, last: 503"),
    ],
)
def test_the_asker_is_told_before_a_message_goes_to_the_dead_letters(limit: dict[str, int], how: str, why: str) -> None:
    """By the queue or by the worker; and once the message is given up, not before."""
    receiver = FakeReceiver(FakeMessage("second", delivery_count=1), FakeMessage("third", delivery_count=2))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        raise TransientFailure("503")

    async def give_up(message: ServiceBusReceivedMessage, why: str) -> None:
        receiver.done.append(("told", message.message_id, why))

    _consume(receiver, handle, give_up=give_up, **limit)
    assert [done[:2] for done in receiver.done] == [("abandoned", "second"), ("told", "third"), (how, "third")]
    assert receiver.done[1][2] == why


def test_an_asker_who_cannot_be_told_now_is_told_later(events: Events) -> None:
    receiver = FakeReceiver(FakeMessage("m"))

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        raise PermanentFailure("Refused", "no")

    async def give_up(_message: ServiceBusReceivedMessage, why: str) -> None:
        receiver.done.append(("told", why))
        if len(receiver.done) < 3:
            raise ConnectionError("the database is away")

    _consume(receiver, handle, give_up=give_up)
    assert [done[0] for done in receiver.done] == ["told", "told", "told", "dead_lettered"]
    assert _names(events).count("worker.telling_failed") == 2


def test_what_came_more_often_than_it_may_is_not_even_begun() -> None:
    """Its earlier attempts never ended: it may be what kills the process."""
    receiver = FakeReceiver(FakeMessage("deadly", delivery_count=3), FakeMessage("good"))
    begun = []

    async def handle(message: ServiceBusReceivedMessage) -> None:
        begun.append(message.message_id)

    _consume(receiver, handle, max_attempts=3)
    assert begun == ["good"]
    assert [done[0] for done in receiver.done] == ["dead_lettered", "completed"]


def test_a_lane_ends_when_it_has_been_idle_for_long_enough() -> None:
    class Emptied(FakeReceiver):
        async def receive_messages(
            self, max_message_count: int | None = None, max_wait_time: float | None = None
        ) -> Any:
            assert max_wait_time == 0.01
            return [self.waiting.pop(0)] if self.waiting else []

    async def handle(_message: ServiceBusReceivedMessage) -> None:
        pass

    receiver = Emptied(FakeMessage("one"), FakeMessage("two"))
    asyncio.run(_consumer(handle, until_idle=0.01).drain(cast("Any", receiver)))
    assert receiver.done == [("completed", "one"), ("completed", "two")]
