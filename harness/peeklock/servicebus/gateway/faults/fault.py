"""What every fault has, and where it may strike."""

# ruff: noqa: ARG002 -- all faults have one signature
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from peeklock.servicebus.ledger.principal import Principal
from peeklock.servicebus.settings import TopologyError

if TYPE_CHECKING:
    from peeklock.servicebus.broker import BrokerError, Message, Queue
    from peeklock.servicebus.gateway.context import NamespaceContext


@dataclass(eq=False)
class Fault:
    """One kind of fault, and all that there is to know of it: control API, Python, the language of scenarios and the
    documentation read it from its class. Its fields are its settings; `entity` None is the whole namespace.

    Each of its moments tells what struck, or says no.
    """

    kind: ClassVar[str] = ""
    """Its name."""
    summary: ClassVar[str] = ""
    """What clients meet, in one sentence."""
    at_once: ClassVar[bool] = False
    """True for a fault that strikes once, in the moment in which it is asked for."""
    counted: ClassVar[bool] = False
    """True for a fault that waits for its moments, and is over after so many."""

    entity: str | None = None

    @property
    def limit(self) -> int | None:
        """After how many strikes it is over; None: when it is cleared."""
        return None

    def check(self) -> None:
        """Raise `TopologyError` for settings that make no sense."""
        for name, hint in get_type_hints(type(self)).items():
            known = [
                value for part in (hint, *get_args(hint)) if get_origin(part) is Literal for value in get_args(part)
            ]
            value = getattr(self, name)
            if known and value is not None and value not in known:
                raise TopologyError(f"{self.kind}.{name} is {value!r}", f"use one of {', '.join(known)}")

    def now(self, context: NamespaceContext, queues: list[Queue]) -> list[dict[str, Any]]:
        """Strike at once; return what it met, for the ledger: one map for each strike."""
        raise NotImplementedError

    def refuses(self, operation: str, principal: str) -> BrokerError | None:
        """Return the error with which an operation of a principal is to fail."""

    def swallows(self, queue: Queue, message: Message, settlement: str) -> bool:
        """Return whether a settlement is not to be done though its sender is told so; the fault does what is to be done
        instead."""
        return False

    def holds(self, operation: str, message_id: str | None, principal: str, resume: Callable[[], None]) -> bool:
        """Return whether an operation of a principal is to wait; `resume` does it."""
        return False

    def release(self) -> list[Callable[[], None]]:
        """Return what waits, to be done now that the fault is cleared."""
        return []

    def delivered(self, queue: Queue, message: Message) -> bool:
        """Return whether the delivery of a message was struck."""
        return False


@dataclass(eq=False, kw_only=True)
class CountedFault(Fault):
    """A fault that waits for its moments: the next `times`, or with None all until it is cleared.

    `nth` lets those before it pass. `by` (with commas between them) names access rules or identities: nobody else meets it.
    """

    counted: ClassVar[bool] = True

    times: int | None = 1
    nth: int = 1
    by: str | None = None

    def __post_init__(self) -> None:
        self._met = 0

    def is_due(self, principal: str) -> bool:
        """Count a moment that is one of its own but for `nth` and `by`; return whether it strikes there."""
        if self.by is not None:
            name = Principal.read(principal).name
            if not any(name == each or name.startswith(f"{each}.") for each in self.by.split(",")):
                return False
        self._met += 1
        return self._met >= self.nth

    @property
    def limit(self) -> int | None:
        """After how many strikes it is over; None: when it is cleared."""
        return self.times

    def check(self) -> None:
        """Raise `TopologyError` for a number of strikes that is none, too."""
        super().check()
        if self.times is not None and self.times < 1:
            raise TopologyError(
                f"{self.kind}.times is {self.times}, expected 1 or more", "leave it out for 1; null is until cleared"
            )
        if self.nth < 1:
            raise TopologyError(f"{self.kind}.nth is {self.nth}, expected 1 or more", "leave it out for the first")
