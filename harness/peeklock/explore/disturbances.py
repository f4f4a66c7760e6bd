"""What can go wrong at a moment of a message or a request, a class each: the step of an ordinary scenario that makes it happen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from peeklock.durations import format_duration
from peeklock.explore.commits import COMMIT_KINDS
from peeklock.explore.kind import EVENTS, Disturbance, Kind
from peeklock.explore.moments import CommitMoment, MessageMoment, Moment, RequestMoment


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
        return _crash(moment, "answer" if moment.operation == "send" else EVENTS[moment.operation])


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
        if moment.operation not in EVENTS:
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
        match moment:
            case MessageMoment():
                yield from (found for message in messages if (found := message.of(moment)) is not None)
            case RequestMoment():
                yield from (found for request in requests if (found := request.of(moment)) is not None)
            case CommitMoment():
                yield from (found for commit in COMMIT_KINDS if (found := commit.of(moment)) is not None)


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


def _nth(moment: MessageMoment | RequestMoment) -> dict[str, int]:
    return {"nth": moment.nth} if moment.nth > 1 else {}
