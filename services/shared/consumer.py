"""The worker loop: peek-lock, lock renewal, bounded concurrency, graceful stop, and one written policy.

The policy, the same for every queue:

- the handler returns         -> complete (its effect is committed by then: a crash before this line means a redelivery);
                                 it may return a word of its own for how that ended
- ``PermanentFailure``        -> dead-letter at once, with reason and description
- ``TransientFailure``, or an exception that nobody foresaw -> keep the message for a while, then abandon it, until
  ``max_attempts`` or the queue's delivery count is spent. The pauses outlast the restart of what we depend on
- whatever goes to the dead letters is told to its asker first, where the handler can (``give_up``)
- stopping takes too long     -> abandon what is still in hand
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from services.shared.correlation import correlated, correlation_id_of
from services.shared.lock import LockKeeper
from services.shared.logs import get_logger
from services.shared.outcomes import Outcome, PermanentFailure, TransientFailure
from services.shared.telemetry import processing
from services.shared.waiting import set_within

log = get_logger()

Handler = Callable[[ServiceBusReceivedMessage], Awaitable[str | None]]
GiveUp = Callable[[ServiceBusReceivedMessage, str], Awaitable[None]]
"""Tells whoever waits for the effect of a message that there will be none, and why. May be called again."""

_LONGEST_PAUSE = 5.0
"""Seconds between two attempts at the same."""
# Service Bus keeps at most this many characters of a reason or a description.
_MAX_DETAIL = 4096


class Receiver(Protocol):
    """What the loop needs of the SDK's receiver."""

    async def receive_messages(
        self, max_message_count: int | None = ..., max_wait_time: float | None = ...
    ) -> list[ServiceBusReceivedMessage]: ...
    async def renew_message_lock(self, message: ServiceBusReceivedMessage) -> object: ...
    async def complete_message(self, message: ServiceBusReceivedMessage) -> None: ...
    async def abandon_message(self, message: ServiceBusReceivedMessage) -> None: ...
    async def dead_letter_message(
        self, message: ServiceBusReceivedMessage, reason: str | None = ..., error_description: str | None = ...
    ) -> None: ...


class Consumer:
    """Handles the messages of one queue until it is stopped.

    Every unit of ``concurrency`` is a *lane* with a receiver of its own: it takes one message, handles it, settles it,
    takes the next. A lane asks for a message only when it can start on it at once, so no lock runs out in a local
    buffer; and it never reads and settles at the same time, which the SDK's receiver would do one after the other.

    ``name`` prefixes the log events (``worker.received``); ``service``, host and process identify the receivers to the
    queue.
    ``poll`` (seconds) has an idle lane look anew so often, and say so each time (``worker.poll``). ``renew_every`` (seconds)
    is how often a lock is renewed; without it, whenever half of it is gone.
    ``abandon_delay`` (seconds, doubled with each delivery up to 5 s) keeps a short outage from spending the delivery
    count; the lock is kept alive meanwhile. ``grace`` is how long (seconds) a stop waits for what is in hand.
    ``max_attempts`` dead-letters (``AttemptsSpent``) what has been tried so often, if that is less than the queue's own
    count; and what has been delivered more often than that, unopened, for it may be what ends the process.
    ``max_deliveries`` is the queue's own count, where the queue is to dead-letter by itself what has spent it.
    ``give_up`` is called before a message goes to the dead letters, and again until it returns: at most for as long as
    a lock is renewed (``max_lock_renewal``, seconds).
    ``until_idle`` (seconds) has :meth:`run` return once no lane has been given a message for so long.
    """

    def __init__(
        self,
        client: ServiceBusClient,
        queue: str,
        handler: Handler,
        *,
        service: str,
        name: str,
        concurrency: int,
        abandon_delay: float = 2.0,
        grace: float = 10.0,
        max_lock_renewal: float = 300.0,
        renew_every: float | None = None,
        poll: float | None = None,
        max_attempts: int | None = None,
        max_deliveries: int | None = None,
        give_up: GiveUp | None = None,
        until_idle: float | None = None,
    ) -> None:
        self.queue = queue
        self._client = client
        self._handler = handler
        self._service = service
        self._name = name
        self._concurrency = concurrency
        self._abandon_delay = abandon_delay
        self._grace = grace
        self._max_lock_renewal = max_lock_renewal
        self._locks = LockKeeper(f"{name}.renewal_failed", queue, renew_every, max_lock_renewal)
        self._poll = poll
        self._max_attempts = max_attempts
        self._max_deliveries = max_deliveries
        self._give_up = give_up
        self._until_idle = until_idle
        self._open_lanes: set[int] = set()
        self._stopping = asyncio.Event()
        self._deadline = asyncio.Event()
        self._all_open = asyncio.Event()

    async def ready(self) -> None:
        """Return as soon as every lane's link is open; a link that breaks is noticed at once, for it is being read."""
        await self._all_open.wait()

    def stop(self) -> None:
        """Take no further message; :meth:`run` returns once what is in hand is settled or the grace is over."""
        self._stopping.set()

    async def run(self) -> None:
        """Handle messages until :meth:`stop`, or until idle. Survives lost connections, and queues not there yet."""
        watching = asyncio.create_task(self._watch_grace())
        try:
            async with asyncio.TaskGroup() as lanes:
                for number in range(self._concurrency):
                    lanes.create_task(self._lane(number))
        finally:
            watching.cancel()

    def _event(self, what: str) -> str:
        return f"{self._name}.{what}"

    async def _watch_grace(self) -> None:
        await self._stopping.wait()
        asyncio.get_running_loop().call_later(self._grace, self._deadline.set)

    async def _lane(self, number: int) -> None:
        pause = 0.1
        while not self._stopping.is_set():
            try:
                async with self._receiver(number) as receiver:
                    pause = 0.1
                    self._open_lanes.add(number)
                    if len(self._open_lanes) == self._concurrency:
                        self._all_open.set()
                    await self.drain(receiver)
                return
            except (ServiceBusError, OSError, TimeoutError, ValueError) as error:
                if self._stopping.is_set():
                    return
                log.warning(
                    self._event("connection_lost"), queue=self.queue, error=type(error).__name__, retry_in=pause
                )
                await set_within(self._stopping, pause)
                pause = min(pause * 2, 2.0)
            finally:
                self._open_lanes.discard(number)
                self._all_open.clear()

    @asynccontextmanager
    async def _receiver(self, number: int) -> AsyncIterator[ServiceBusReceiver]:
        identifier = f"{self._service}/{socket.gethostname()}/{os.getpid()}/{number}"
        receiver = self._client.get_queue_receiver(self.queue, client_identifier=identifier)
        await receiver.__aenter__()
        try:
            yield receiver
        finally:
            # Releasing what was not begun, and taking leave, takes about 0.25 s; for the rest of up to 1.2 s the SDK
            # waits for its own keep-alive timer.
            with suppress(TimeoutError):
                async with asyncio.timeout(0.75):
                    await receiver.close()

    async def drain(self, receiver: Receiver) -> None:
        """Handle the messages that ``receiver`` yields, one after the other, until :meth:`stop`, or until idle."""
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                if self._poll is not None:
                    log.info(self._event("poll"), queue=self.queue)
                wait = self._until_idle or self._poll or 60.0
                receiving = asyncio.create_task(receiver.receive_messages(max_message_count=1, max_wait_time=wait))
                await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    # Idle while stopping. Whatever still arrives is released when the receiver closes.
                    receiving.cancel()
                    await asyncio.wait({receiving})
                    if receiving.cancelled():
                        return
                messages = receiving.result()
                if not messages and self._until_idle is not None:
                    return
                for message in messages:
                    with correlated(correlation_id_of(message)), processing(self.queue, message) as outcome:
                        await self._process(receiver, message, outcome)
        finally:
            stopping.cancel()

    async def _process(self, receiver: Receiver, message: ServiceBusReceivedMessage, outcome: Outcome) -> None:
        delivery = (message.delivery_count or 0) + 1
        facts: dict[str, object] = {"queue": self.queue, "message_id": message.message_id, "delivery": delivery}
        log.info(self._event("received"), **facts)
        started = asyncio.get_running_loop().time()
        try:
            try:
                self._refuse_what_keeps_coming(message)
                word = await self._handled(receiver, message)
            except PermanentFailure as failure:
                await self._dead_letter(receiver, message, facts, failure, outcome)
            except TransientFailure as failure:
                await self._abandon(receiver, message, {**facts, "reason": str(failure)}, outcome)
            except _GraceSpentError:
                await self._abandon(receiver, message, {**facts, "reason": "stopping"}, outcome, counts=False)
            except Exception:  # whatever a handler raises, its message goes back and the lane lives on
                log.exception(self._event("handler_failed"), **facts)
                await self._abandon(receiver, message, {**facts, "reason": "unexpected error"}, outcome)
            else:
                await receiver.complete_message(message)
                outcome.word = word or "completed"
                elapsed = asyncio.get_running_loop().time() - started
                log.info(self._event("completed"), **facts, duration_ms=round(elapsed * 1000))
        except MessageLockLostError:
            # Another consumer has it by now, and every effect of ours is idempotent.
            outcome.word = "lock_lost"
            log.warning(self._event("lock_lost"), **facts)

    async def _handled(self, receiver: Receiver, message: ServiceBusReceivedMessage) -> str | None:
        """Run the handler under a lock that is kept alive, until the grace of a stop is over."""
        deadline = asyncio.create_task(self._deadline.wait())
        try:
            async with self._locks.kept(receiver, message):
                work = asyncio.ensure_future(self._handler(message))
                await asyncio.wait({work, deadline}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    work.cancel()
                    await asyncio.wait({work})
                    if work.cancelled():
                        raise _GraceSpentError
                return work.result()
        finally:
            deadline.cancel()

    def _refuse_what_keeps_coming(self, message: ServiceBusReceivedMessage) -> None:
        before = message.delivery_count or 0
        if self._max_attempts is not None and before >= self._max_attempts:
            raise PermanentFailure("AttemptsSpent", f"delivered {before} times before, and never settled")

    async def _dead_letter(
        self,
        receiver: Receiver,
        message: ServiceBusReceivedMessage,
        facts: dict[str, object],
        failure: PermanentFailure,
        outcome: Outcome,
    ) -> None:
        reason, description = failure.reason[:_MAX_DETAIL], failure.description[:_MAX_DETAIL]
        await self._tell(receiver, message, str(failure))
        await receiver.dead_letter_message(message, reason=reason, error_description=description)
        outcome.word, outcome.reason = "dead_lettered", reason
        log.warning(self._event("dead_lettered"), **facts, reason=reason, description=description)

    async def _abandon(
        self,
        receiver: Receiver,
        message: ServiceBusReceivedMessage,
        facts: dict[str, object],
        outcome: Outcome,
        counts: bool = True,
    ) -> None:
        delivery = (message.delivery_count or 0) + 1
        if counts and self._max_attempts is not None and delivery >= self._max_attempts:
            last = facts.pop("reason")
            failure = PermanentFailure("AttemptsSpent", f"{delivery} attempts, last: {last}")
            await self._dead_letter(receiver, message, facts, failure, outcome)
            return
        if self._max_deliveries is not None and delivery >= self._max_deliveries:
            await self._tell(receiver, message, f"{delivery} attempts, last: {facts['reason']}")
        else:
            async with self._locks.kept(receiver, message):
                await set_within(self._stopping, min(self._abandon_delay * 2 ** min(delivery - 1, 10), _LONGEST_PAUSE))
        await receiver.abandon_message(message)
        outcome.word = "abandoned"
        log.warning(self._event("abandoned"), **facts)

    async def _tell(self, receiver: Receiver, message: ServiceBusReceivedMessage, why: str) -> None:
        """Have the asker told under a lock that is kept alive, until it works, the lock is not renewed any more, or the
        grace of a stop is over."""
        if self._give_up is None:
            return
        facts = {"queue": self.queue, "message_id": message.message_id}
        give_up_at, pause = asyncio.get_running_loop().time() + self._max_lock_renewal, self._abandon_delay
        async with self._locks.kept(receiver, message):
            while True:
                try:
                    await self._give_up(message, why)
                    return
                except Exception as error:  # noqa: BLE001 - whatever it is, the message is settled and the lane lives on
                    problem = f"{type(error).__name__}: {error}"
                if self._deadline.is_set() or asyncio.get_running_loop().time() + pause > give_up_at:
                    log.error(self._event("asker_not_told"), **facts, problem=problem)
                    return
                log.warning(self._event("telling_failed"), **facts, problem=problem, retry_in=pause)
                await set_within(self._deadline, pause)
                pause = min(pause * 2, _LONGEST_PAUSE)


class _GraceSpentError(Exception):
    """The service is stopping and may wait no longer for this message."""
