"""What can go wrong at a commit, a class each."""

from __future__ import annotations

from typing import Any

from peeklock.explore.kind import Kind
from peeklock.explore.moments import CommitMoment


class DiesBeforeCommit(Kind[CommitMoment]):
    """The service is killed when its commit has arrived and is not done, and started again."""

    word, rank = "dies_before", 1

    def text(self, moment: CommitMoment) -> str:
        return f"{moment.service} dies before its COMMIT of {_what(moment)} is done"

    def step(self, moment: CommitMoment) -> dict[str, Any]:
        return _crash(moment, "commit", moment.asked)


class DiesAfterCommit(Kind[CommitMoment]):
    """The service is killed when its commit is done, before it hears of it: whatever was to come next does not."""

    word, rank = "dies_after", 0

    def text(self, moment: CommitMoment) -> str:
        return f"{moment.service} dies after its COMMIT of {_what(moment)}"

    def step(self, moment: CommitMoment) -> dict[str, Any]:
        return _crash(moment, "committed", moment.nth)


class CommitLost(Kind[CommitMoment]):
    """The connection breaks before the commit: nothing of it is done, and the service hears an error."""

    word, rank = "commit_lost", 1

    def text(self, moment: CommitMoment) -> str:
        return f"the COMMIT of {_what(moment)} by {moment.service} is lost"

    def step(self, moment: CommitMoment) -> dict[str, Any]:
        return _fault(moment, "lost_commit", moment.asked)


class CommitAnswerLost(Kind[CommitMoment]):
    """The connection breaks after the commit: all of it is done, and the service hears an error."""

    word, rank = "answer_lost", 1

    def text(self, moment: CommitMoment) -> str:
        return f"the COMMIT of {_what(moment)} by {moment.service} is done, its answer lost"

    def step(self, moment: CommitMoment) -> dict[str, Any]:
        return _fault(moment, "lost_commit_answer", moment.nth)


COMMIT_KINDS = (DiesBeforeCommit(), DiesAfterCommit(), CommitLost(), CommitAnswerLost())


def _what(moment: CommitMoment) -> str:
    return f"{' + '.join(moment.changes)}#{moment.nth}"


def _changes(moment: CommitMoment) -> str | list[str]:
    return moment.changes[0] if len(moment.changes) == 1 else [*moment.changes]


def _crash(moment: CommitMoment, side: str, nth: int) -> dict[str, Any]:
    return {"crash": {"service": moment.service, "at": {side: _changes(moment), **_nth(nth)}}}


def _fault(moment: CommitMoment, kind: str, nth: int) -> dict[str, Any]:
    which = {"changes": _changes(moment), "by": moment.service, **_nth(nth)}
    return {"fault": {"on": "postgres", kind: which, "times": 1}}


def _nth(nth: int) -> dict[str, int]:
    return {"nth": nth} if nth > 1 else {}
