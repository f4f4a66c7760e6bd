"""Sends JSON messages to one queue over a link that stays open."""

from __future__ import annotations

import asyncio
import json
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import ServiceBusError

from services.shared import tls
from services.shared.correlation import PROPERTY, current_correlation_id

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


_PATIENCE: dict[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.1, "retry_backoff_max": 1}


class PublishError(Exception):
    """The queue did not confirm the message: it may or may not hold it. Sending it again with its id is safe."""


def servicebus_client(
    connection_string: str | None = None, *, namespace: str = "", credential: AsyncTokenCredential | None = None
) -> ServiceBusClient:
    """Return a client of the namespace in ``connection_string``, else of the ``namespace`` by name, as ``credential``.

    It gives up within seconds: our callers retry, or tell their own callers to. It holds no connection itself: each
    sender and receiver has its own, and is closed by its owner.
    """
    if connection_string is not None:
        emulated = _fields(connection_string).get("UseDevelopmentEmulator", "").lower() == "true"
        return ServiceBusClient.from_connection_string(
            connection_string, ssl_context=tls.nobody() if emulated else tls.authorities("amqp"), **_PATIENCE
        )
    assert credential is not None
    return ServiceBusClient(
        f"{namespace}.servicebus.windows.net", credential, ssl_context=tls.authorities("amqp"), **_PATIENCE
    )


def namespace_of(connection_string: str) -> str:
    """Return the endpoint that a connection string names, without its key: for logs and pre-flight checks."""
    return _fields(connection_string).get("Endpoint", "").rstrip("/")


def _fields(connection_string: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in connection_string.split(";") if "=" in part)


class Publisher:
    """The sending end of ``queue``. A context manager; entering it does not need the queue to be there."""

    def __init__(self, client: ServiceBusClient, queue: str, timeout: float = 10.0) -> None:
        self.queue = queue
        self._client = client
        self._timeout = timeout
        self._sender: ServiceBusSender | None = None
        # The SDK's sender may be used by one task at a time.
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._discard()

    async def send(self, body: dict[str, Any], *, message_id: str, subject: str) -> None:
        """Send ``body`` and return once the queue has confirmed it; raise :class:`PublishError` otherwise.

        The running task's correlation id travels as an application property and as the AMQP correlation-id.
        """
        correlation_id = current_correlation_id()
        message = ServiceBusMessage(
            json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(),
            message_id=message_id,
            subject=subject,
            content_type="application/json",
            correlation_id=correlation_id,
            application_properties={PROPERTY: correlation_id} if correlation_id else None,
        )
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._opened()
                    assert self._sender is not None
                    await self._sender.send_messages(message)
            except (ServiceBusError, OSError, TimeoutError, ValueError) as error:
                await self._discard()
                raise PublishError(f"{self.queue}: {type(error).__name__}") from error

    async def ready(self) -> None:
        """Return once the link is open: the queue is there, and lets this service send. Raise if it cannot be opened."""
        async with self._lock:
            await self._opened()

    async def _opened(self) -> None:
        if self._sender is None:
            sender = self._client.get_queue_sender(self.queue)
            try:
                await sender.__aenter__()
            except BaseException:
                await sender.close()
                raise
            self._sender = sender

    async def _discard(self) -> None:
        """Drop the link; the next message opens a fresh one. Nothing is in flight, so the farewell may be cut short."""
        sender, self._sender = self._sender, None
        if sender is not None:
            try:
                async with asyncio.timeout(0.3):
                    await sender.close()
            except (ServiceBusError, OSError, TimeoutError):
                pass
