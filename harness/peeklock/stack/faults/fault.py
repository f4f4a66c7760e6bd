"""What every fault has: the words with which a scenario asks for it, and the moments in which it can strike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar, Literal

from pydantic import Field

from peeklock.scenario.changes import Changes
from peeklock.scenario.fields import Model
from peeklock.stack.faults.commit import Commit
from peeklock.stack.faults.http import Answer, Request, Response
from peeklock.stack.faults.ports import Connection, Listener, Way
from peeklock.stack.faults.strikes import Strikes

Layer = Literal["network", "http", "postgres", "broker", "openai"]
"""Where a fault strikes: between a service and anything, between a service and what speaks HTTP, between a service and Postgres,
inside the emulator, inside the Azure OpenAI stand-in."""
RELAYED = frozenset({"network", "http", "postgres"})
"""The layers of faults that strike in the relay."""


class Fault(Model):
    """One kind of fault. Its fields are its settings, as they stand in a scenario; times are in seconds."""

    kind: ClassVar[str]
    """The word in a scenario: `fault: {on: …, KIND: …}`."""
    layer: ClassVar[Layer]
    short: ClassVar[str] = ""
    """The setting that a bare value gives: `latency: 2s` is `latency: {delay: 2s}`. Empty: the bare value is `true`."""
    counted: ClassVar[bool] = False
    """Whether `times` says after how many strikes it is over."""
    summary: ClassVar[str] = ""


class NetworkFault(Fault):
    """A fault of the connections between services and a target. Every moment is the default one: nothing happens."""

    layer: ClassVar[Layer] = "network"

    async def begin(self, strikes: Strikes, listener: Listener) -> None:
        """It is on from now."""

    async def end(self, strikes: Strikes, listener: Listener) -> None:
        """It is over."""

    async def meet(self, strikes: Strikes, connection: Connection) -> None:
        """A connection that was open when it began, or was opened since. Runs beside the connection, and may wait."""

    async def carry(
        self, strikes: Strikes, connection: Connection, way: Way, data: bytes, at: float
    ) -> AsyncIterator[bytes]:
        """Yield what goes on of `data`, which came at `at` (the loop's time), in pieces and when it pleases."""
        yield data


class HttpFault(Fault):
    """A fault of HTTP requests of services to a target."""

    layer: ClassVar[Layer] = "http"
    counted: ClassVar[bool] = True
    of_bodies: ClassVar[bool] = False
    """Whether it strikes only responses that have a body."""

    method: str | None = Field(None, description="only of such requests: GET, PUT …")
    path: str | None = Field(None, description="only of requests with this in their path")
    nth: int = Field(1, ge=1, description="lets those before it pass")

    def meant(self, request: Request) -> bool:
        """Tell whether it is about such a request."""
        return (self.method or request.method).upper() == request.method and (self.path or "") in request.path

    def answer(self, request: Request) -> Answer | None:
        """Return what to answer instead of passing the request on."""
        return None

    async def spoil(self, strikes: Strikes, response: Response) -> None:
        """Change the response before any of it goes to the client."""


class CommitFault(Fault):
    """A fault of transactions that change something. What it does to the connection of one that is meant: it breaks it."""

    layer: ClassVar[Layer] = "postgres"
    short: ClassVar[str] = "changes"
    counted: ClassVar[bool] = True
    done: ClassVar[bool] = False
    """Whether it strikes when the server has committed, and not before."""

    changes: Changes = Field(
        (), description="INSERT orders, or a list: only transactions that have all of them; true: any"
    )
    by: str | None = Field(None, description="only of this service")
    nth: int = Field(1, ge=1, description="lets those before it pass")

    def meant(self, commit: Commit) -> bool:
        """Tell whether it is about such a commit."""
        ours = self.by in (None, commit.service) and set(self.changes) <= set(commit.changes)
        return ours and self.done == commit.done

    async def meet(self, strikes: Strikes, connection: Connection) -> None:
        """Do it to the connection of a commit, which goes on when this returns."""
        connection.reset()
