"""Connections that the steps of one environment share, each made when it is first used."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from peeklock import servicebus
from peeklock.engine.event_loop import EventLoop
from peeklock.engine.failure import VerbFailed
from peeklock.engine.functions import Functions
from peeklock.stack.backend import Environment
from peeklock.stack.names.transport import transports, trusting

if TYPE_CHECKING:
    from peeklock.engine.blob_account import BlobAccount


CLOSING = 5.0
"""Seconds that connections have to close in order."""


class Clients:
    """HTTP, blob and Service Bus clients of one environment."""

    def __init__(self, environment: Environment, root: Path) -> None:
        """`root`: the project's root."""
        self._endpoints, self._seen = environment.endpoints, environment.seen
        self.functions = Functions(
            environment.commands, root, environment.log_dir / "functions.log", lambda: environment.seen.names
        )

    @cached_property
    def loop(self) -> EventLoop:
        """What waits for answers of HTTP and of the database."""
        return EventLoop()

    @cached_property
    def http(self) -> httpx.AsyncClient:
        """A client that follows no redirects and trusts no proxy settings; for use in `loop`."""
        # Servers close idle connections too, uvicorn after 5 s: whoever sends in that very moment gets no answer.
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=1.0)
        names = self._seen.names
        # the deadline of each request is one for all of it, as a time-out of httpx is not
        return httpx.AsyncClient(
            timeout=None,  # noqa: S113
            limits=limits,
            trust_env=False,
            verify=trusting(names),
            mounts=transports(names),
        )

    @cached_property
    def blobs(self) -> BlobAccount:
        """The account of the environment."""
        if not self._endpoints.blobs_connection_string:
            raise VerbFailed("the file has no blobs: add `blobs: {containers: […]}` to its stack")
        from peeklock.engine.blob_account import BlobAccount  # azure.storage.blob: 0.5 s

        seen, called = self._seen.blobs_connection_string or "", self._endpoints.containers
        return BlobAccount(self._endpoints.blobs_connection_string, seen, called)

    @cached_property
    def servicebus(self) -> servicebus.Client:
        """The namespace of the environment, with every right."""
        if not self._endpoints.servicebus_connection_string:
            raise VerbFailed("the file has no servicebus: add `servicebus: {queues: {…}}` to its stack")
        return servicebus.Client(self._endpoints.servicebus_connection_string)

    @property
    def postgres_url(self) -> str:
        """The URL of the environment's database."""
        if not self._endpoints.postgres_url:
            raise VerbFailed("the file has no postgres: add `postgres: {migrations: …}` to its stack")
        return self._endpoints.postgres_url

    def close(self) -> None:
        """Close what has been opened."""
        self.functions.close()
        for name in ("blobs", "servicebus"):
            client = self.__dict__.pop(name, None)
            if client is not None:
                client.close()
        if (http := self.__dict__.pop("http", None)) is not None:
            self.loop.run(http.aclose(), CLOSING)
        if (loop := self.__dict__.pop("loop", None)) is not None:
            loop.close()
