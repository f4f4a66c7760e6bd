"""What every stand-in has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from peeklock.standins.active_faults import ActiveFaults
from peeklock.standins.functions import Functions
from peeklock.standins.journal import Journal

if TYPE_CHECKING:
    import httpx


class Caller(NamedTuple):
    """Who has shown a token of a managed identity."""

    service: str
    """Or one replica of it."""
    identity: str
    object_id: str
    tenant: str
    roles: Sequence[str]
    """On whatever part of the stack."""


class Resolve(Protocol):
    """Looks up `${…}` as the scenario file's top level does; `names` come before those of the file."""

    def __call__(self, value: Any, /, **names: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a stand-in has of the scenario that it answers for."""

    resolve: Resolve
    where: Callable[[tuple[str | int, ...]], str]
    """Returns `file:line` of a place in the scenario file."""
    folder: Path
    """That of the scenario file."""
    functions: Functions
    now: Callable[[], float]
    """The clock of the case, in Unix seconds."""
    bearer: Callable[[str, str], Caller] | None = None
    """Tells whose token for an audience this is, or raises `TokenRefused`; None where no identities are declared."""
    transports: Callable[[], Mapping[str, httpx.AsyncBaseTransport]] = dict
    """The `mounts` of an `httpx.AsyncClient` for names that lead to the environment."""


class StandIn(Protocol):
    """A server that answers in the place of somebody else's."""

    @property
    def journal(self) -> Journal: ...
    @property
    def faults(self) -> ActiveFaults[Any]: ...
    def reset(self) -> None:
        """Begin the next case: no requests, no faults, sequences from their start."""

    def close(self) -> None:
        """Close the port."""
