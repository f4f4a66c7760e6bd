"""What can go wrong at a moment, a class each: the step of an ordinary scenario that makes it happen; and two of them at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from peeklock.durations import format_duration
from peeklock.explore.moments import MessageMoment, Moment, RequestMoment

M = TypeVar("M", MessageMoment, RequestMoment)
_EVENTS = {"complete": "completed", "abandon": "abandoned", "defer": "deferred", "dead_letter": "dead_lettered"}


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong: one thing at one moment, or two."""

    kinds: tuple[str, ...]
    text: str
    """A sentence of it: `worker dies before its complete of orders#1 is done`."""
    steps: tuple[Mapping[str, Any], ...] = field(hash=False)
    """Stand before the steps of the case."""
    rank: int
    """How likely it is to find something: the lowest first."""
    moments: tuple[str, ...] = ()
    """What it goes wrong at."""

    def __add__(self, other: Disturbance) -> Disturbance:
        """Return both together; twice the same is two that follow each other."""
        text = f"{self.text}, twice" if self == other else f"{self.text}; {other.text}"
        steps = tuple(map(_following, other.steps)) if self == other else other.steps
        rank, moments = self.rank + other.rank, self.moments + other.moments
        return Disturbance(self.kinds + other.kinds, text, self.steps + steps, rank, moments)


class Kind(ABC, Generic[M]):
    """One kind of disturbance."""

    word: ClassVar[str]
    rank: ClassVar[int]

    def of(self, moment: M) -> Disturbance | None:
        """Return how a moment is disturbed in this way; None where it cannot be."""
        step = self.step(moment)
        if step is None:
            return None
        return Disturbance((self.word,), self.text(moment), (step,), self.rank, (str(moment),))

    @abstractmethod
    def text(self, moment: M) -> str:
        """Return the sentence that tells of it."""

    @abstractmethod
    def step(self, moment: M) -> dict[str, Any] | None:
        """Return the step that makes it happen; None where it cannot."""


class DiesBefore(Kind[MessageMoment]):
    """The service is killed when the operation has arrived and is not done, and started again."""

    word, rank = "dies_before", 0

    def text(self, moment: MessageMoment) -> str:
        return f"{moment.service} dies before its {_what(moment)} is done"

    def step(self, moment: MessageMoment) -> dict[str, Any] | None:
        return None if moment.operation == "deliver" else _crash(moment, moment.operation)


class DiesAfter(Kind[MessageMoment]):
    """The service is killed when the operation is done, and may not have heard of it.

    Not with a message in hand: how far it has come by then is chance, and the moments after that are its sends and settlements.
    """

    word, rank = "dies_after", 0

    def text(self, moment: MessageMoment) -> str:
        return f"{moment.service} dies after its {_what(moment)}"

    def step(self, moment: MessageMoment) -> dict[str, Any] | None:
        if moment.operation == "deliver":
            return None
        return _crash(moment, "answer" if moment.operation == "send" else _EVENTS[moment.operation])


class ComesTwice(Kind[MessageMoment]):
    """A message that was completed comes once more."""

    word, rank = "comes_twice", 0

    def text(self, moment: MessageMoment) -> str:
        return f"{moment.entity}#{moment.nth} comes to {moment.service} once more"

    def step(self, moment: MessageMoment) -> dict[str, Any] | None:
        return _broker("deliver_twice", moment) if moment.operation == "complete" else None


class SettlementLost(Kind[MessageMoment]):
    """A settlement is answered and not done: the message comes again when its lock ends."""

    word, rank = "settlement_lost", 0

    def text(self, moment: MessageMoment) -> str:
        return f"the {_what(moment)} of {moment.service} is lost"

    def step(self, moment: MessageMoment) -> dict[str, Any] | None:
        if moment.operation not in _EVENTS:
            return None
        return _broker("drop_settlement", moment, settlement=moment.operation)


class LockLost(Kind[MessageMoment]):
    """The lock ends as the message goes out, so that another delivery overtakes the first."""

    word, rank = "lock_lost", 2

    def text(self, moment: MessageMoment) -> str:
        return f"{moment.service} loses the lock of {moment.entity}#{moment.nth} at once"

    def step(self, moment: MessageMoment) -> dict[str, Any] | None:
        return _broker("deliver_twice", moment, after="delivered") if moment.operation == "deliver" else None


class Throttled(Kind[MessageMoment]):
    """The Service Bus refuses a message for once."""

    word, rank = "throttled", 2

    def text(self, moment: MessageMoment) -> str:
        return f"the {_what(moment)} of {moment.service} is throttled"

    def step(self, moment: MessageMoment) -> dict[str, Any] | None:
        return _broker("server_busy", moment, operations="send") if moment.operation == "send" else None


class Refused(Kind[RequestMoment]):
    """A request is answered 503 for once, and not done."""

    word, rank = "refused", 1

    def text(self, moment: RequestMoment) -> str:
        return f"{moment} is answered 503"

    def step(self, moment: RequestMoment) -> dict[str, Any]:
        return _http("status", moment, code=503)


class AnswerLost(Kind[RequestMoment]):
    """A request is done, and its connection breaks before the answer."""

    word, rank = "answer_lost", 1

    def text(self, moment: RequestMoment) -> str:
        return f"{moment} is done, its answer lost"

    def step(self, moment: RequestMoment) -> dict[str, Any]:
        return _http("lost_answer", moment)


@dataclass(frozen=True)
class Late(Kind[RequestMoment]):
    """A request is done, and its answer comes when the shortest lock is over, unless it is renewed."""

    seconds: float
    word, rank = "late", 3

    def text(self, moment: RequestMoment) -> str:
        return f"{moment} is answered {format_duration(self.seconds)} late"

    def step(self, moment: RequestMoment) -> dict[str, Any]:
        return _http("late_answer", moment, delay=format_duration(self.seconds))


@dataclass(frozen=True)
class Pauses(Kind[MessageMoment]):
    """The service stands still with its work done, until the lock is over, and goes on as if nothing had happened."""

    seconds: float
    word, rank = "pauses", 3

    def text(self, moment: MessageMoment) -> str:
        return f"{moment.service} stands still for {format_duration(self.seconds)} before its {_what(moment)}"

    def step(self, moment: MessageMoment) -> dict[str, Any] | None:
        if moment.operation == "deliver":
            return None
        return {"pause": {**_crash(moment, moment.operation)["crash"], "for": format_duration(self.seconds)}}


MESSAGE_KINDS = (DiesBefore(), DiesAfter(), ComesTwice(), SettlementLost(), LockLost(), Throttled())
REQUEST_KINDS = (Refused(), AnswerLost())


def disturbances(moments: Iterable[Moment], late: float | None) -> Iterator[Disturbance]:
    """Yield all that can be done to moments. `late`: how late answers are and how long services stand still, in seconds; None:
    nothing of that."""
    messages: list[Kind[MessageMoment]] = [*MESSAGE_KINDS]
    requests: list[Kind[RequestMoment]] = [*REQUEST_KINDS]
    if late is not None:
        messages.append(Pauses(late))
        requests.append(Late(late))
    for moment in moments:
        if isinstance(moment, MessageMoment):
            yield from (found for kind in messages if (found := kind.of(moment)) is not None)
        else:
            yield from (found for each in requests if (found := each.of(moment)) is not None)


def _following(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the step for the next time. Of operations that are held each gets one; an event is seen by all that wait for it."""
    at = step["crash"]["at"] if "crash" in step else {}
    if at.get("on") not in _EVENTS.values():
        return step
    return {"crash": {**step["crash"], "at": {**at, "nth": at.get("nth", 1) + 1}}}


def _what(moment: MessageMoment) -> str:
    word = "to" if moment.operation == "send" else "of"
    return f"{moment.operation} {word} {moment.entity}#{moment.nth}"


def _crash(moment: MessageMoment, on: str) -> dict[str, Any]:
    at = {"queue": moment.entity, "on": on, "by": moment.service, **_nth(moment)}
    return {"crash": {"service": moment.service, "at": at}}


def _broker(fault: str, moment: MessageMoment, **settings: Any) -> dict[str, Any]:
    where = {"queue": moment.entity, "by": moment.service, **_nth(moment)}
    return {"fault": {"on": "servicebus", fault: {**where, **settings}}}


def _http(fault: str, moment: RequestMoment, **settings: Any) -> dict[str, Any]:
    path = {"path": moment.path} if moment.path else {}
    which = {"method": moment.method, **path, **_nth(moment)}
    return {"fault": {"on": moment.target, fault: {**settings, **which}, "times": 1}}


def _nth(moment: Moment) -> dict[str, int]:
    return {"nth": moment.nth} if moment.nth > 1 else {}
