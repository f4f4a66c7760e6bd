"""What every fault has: the words with which a scenario asks for it, and the moments in which it can strike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from peeklock.scenario.topology import Model

if TYPE_CHECKING:
    from peeklock.stack.relay.active import Active
    from peeklock.stack.relay.door import Door
    from peeklock.stack.relay.line import Line, Way
    from peeklock.stack.relay.message import Answer, Request, Response

Layer = Literal["network", "http", "broker"]
"""Where a fault strikes: between a service and anything, between a service and what speaks HTTP, inside the emulator."""


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

    async def begin(self, active: Active, door: Door) -> None:
        """It is on from now."""

    async def end(self, active: Active, door: Door) -> None:
        """It is over."""

    async def meet(self, active: Active, line: Line) -> None:
        """A connection that was open when it began, or was opened since. Runs beside the connection, and may wait."""

    async def carry(self, active: Active, line: Line, way: Way, data: bytes, at: float) -> AsyncIterator[bytes]:  # noqa: ARG002
        """Yield what goes on of `data`, which came at `at` (the loop's time), in pieces and when it pleases."""
        yield data


class HttpFault(Fault):
    """A fault of HTTP requests of services to a target."""

    layer: ClassVar[Layer] = "http"
    counted: ClassVar[bool] = True

    method: str | None = Field(None, description="only of such requests: GET, PUT …")
    path: str | None = Field(None, description="only of requests with this in their path")

    def meant(self, request: Request) -> bool:
        """Tell whether it is about such a request."""
        return (self.method or request.method).upper() == request.method and (self.path or "") in request.path

    def answer(self, request: Request) -> Answer | None:  # noqa: ARG002
        """Return what to answer instead of passing the request on."""
        return None

    async def spoil(self, active: Active, response: Response) -> None:
        """Change the response before any of it goes to the client."""
