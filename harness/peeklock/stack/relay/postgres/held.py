"""Commits that are held, so that what is done to their service meanwhile is done exactly then."""

from __future__ import annotations

from typing import ClassVar, Literal

from peeklock.stack.faults import CommitFault, Connection, Strikes


class HeldCommit(CommitFault):
    """A commit has arrived and does not go on, until the fault is over: then it is done, or its connection breaks."""

    kind: ClassVar[str] = "hold_commit"

    then: Literal["dropped", "done"] = "dropped"

    async def meet(self, strikes: Strikes, connection: Connection) -> None:
        """Hold it."""
        await strikes.wait(None)
        if self.then == "dropped":
            connection.reset()


class HeldCommitAnswer(HeldCommit):
    """A transaction is committed, and its client is not told until the fault is over."""

    kind: ClassVar[str] = "hold_commit_answer"
    done: ClassVar[bool] = True
