"""The moments of a case: what services did with messages, over HTTP and in the database, each with a name that is the same in
every run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from peeklock.engine.ledger import service_of
from peeklock.servicebus.ledger import Entry, EventKind, Principal
from peeklock.servicebus.paths import DEAD_LETTER_SUFFIX
from peeklock.stack.backend import DatabaseTransaction, RelayedRequest

SETTLEMENTS = {
    EventKind.COMPLETED: "complete",
    EventKind.ABANDONED: "abandon",
    EventKind.DEFERRED: "defer",
    EventKind.DEAD_LETTERED: "dead_letter",
}
"""What the ledger tells of, and the operation that brought it about."""


@dataclass(frozen=True, order=True)
class MessageMoment:
    """A service did something with a message."""

    service: str
    operation: str
    """`send`, `deliver`, or a settlement."""
    entity: str
    nth: int
    """Which such operation of this service, from 1."""

    @property
    def who(self) -> str:
        """The service."""
        return self.service

    def __str__(self) -> str:
        return f"{self.service} {self.operation} {self.entity}#{self.nth}"


@dataclass(frozen=True, order=True)
class RequestMoment:
    """A service asked something over HTTP: another service, the storage, a stand-in."""

    target: str
    method: str
    path: str
    """Empty where the paths of such requests differ from run to run."""
    nth: int
    """Which request to this target with this method and, where it is told, this path or a longer one, from 1."""

    @property
    def who(self) -> str:
        """Who is asked: who asks is not known."""
        return self.target

    def __str__(self) -> str:
        return f"{self.method} {self.path or '…'} of {self.target}#{self.nth}"


@dataclass(frozen=True, order=True)
class CommitMoment:
    """A service committed a transaction that changed something."""

    service: str
    changes: tuple[str, ...]
    """`INSERT orders`, in the order of their first coming."""
    nth: int
    """Which of this service that has all these changes, and perhaps more, from 1: of those that were committed."""
    asked: int
    """The same, of those whose commit was asked for."""

    @property
    def who(self) -> str:
        """The service."""
        return self.service

    def __str__(self) -> str:
        return f"{self.service} COMMIT {' + '.join(self.changes)}#{self.nth}"


Moment = MessageMoment | RequestMoment | CommitMoment
M = TypeVar("M", bound=Moment)


def message_moments(entries: Iterable[Entry], services: Iterable[str]) -> Iterator[MessageMoment]:
    """Yield what services did with messages. Who signs with a rule that is none of theirs is not known, and left out."""
    known = frozenset(services)
    counts: Counter[tuple[str, str, str]] = Counter()
    for entry in entries:
        operation, principal = _operation(entry)
        service = _service(principal, known)
        if operation and service:
            key = (service, operation, entry.entity)
            counts[key] += 1
            yield MessageMoment(*key, counts[key])


def request_moments(runs: Sequence[Sequence[RelayedRequest]]) -> Iterator[RequestMoment]:
    """Yield the requests that came in every run; their paths are told where they are the same in all."""
    paths = [_paths(run) for run in runs]
    for target, method in dict.fromkeys((each.target, each.method) for each in runs[0]):
        every = [found[target, method] for found in paths]
        if all(Counter(each) == Counter(every[0]) for each in every):
            for path in dict.fromkeys(every[0]):
                # a fault takes a part of a path, so that a longer one counts, too
                alike = [each for each in every[0] if path in each]
                yield from (
                    RequestMoment(target, method, path, nth) for nth, each in enumerate(alike, 1) if each == path
                )
        else:
            yield from (RequestMoment(target, method, "", nth) for nth in range(1, min(map(len, every)) + 1))


def commit_moments(transactions: Iterable[DatabaseTransaction], services: Iterable[str]) -> Iterator[CommitMoment]:
    """Yield what services committed. Whose it is may be unknown: such are left out."""
    known = frozenset(services)
    before: list[tuple[str, frozenset[str], bool]] = []
    for each in transactions:
        service = each.service if each.service in known else each.service.rpartition(".")[0]
        if service not in known or not each.asked:
            continue
        done = each.end == "committed"
        before.append((service, frozenset(each.changes), done))
        if done:
            # as a point or a fault counts them
            alike = [told for who, what, told in before if who == service and what >= before[-1][1]]
            yield CommitMoment(service, each.changes, sum(alike), len(alike))


def common(runs: Sequence[Sequence[M]]) -> list[M]:
    """Return the moments that every run had, in the order of the first."""
    return [moment for moment in runs[0] if all(moment in run for run in runs[1:])]


def _operation(entry: Entry) -> tuple[str, str]:
    """Return the operation that an entry tells of and by whose principal; empty for what nobody asked for."""
    if entry.event in SETTLEMENTS and entry.consumer:
        return SETTLEMENTS[entry.event], entry.consumer
    if entry.event is EventKind.DELIVERED:
        return "deliver", entry.consumer or ""
    content = None if entry.message is None else entry.message.content
    taken = (EventKind.ENQUEUED, EventKind.DUPLICATE_DROPPED, EventKind.PUBLISHED, EventKind.SCHEDULED)
    passed_on = "/subscriptions/" in entry.entity.lower() or entry.entity.endswith(DEAD_LETTER_SUFFIX)
    if entry.event in taken and content is not None and content.sender and not passed_on:
        return "send", content.sender
    return "", ""


def _service(principal: str, known: frozenset[str]) -> str | None:
    name = Principal.read(principal).name
    found = service_of(name) or name.partition(".")[0]
    return found if found in known else None


def _paths(run: Sequence[RelayedRequest]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in run:
        found[each.target, each.method].append(each.path)
    return found
