"""`lost_commit_answer: INSERT orders` — a transaction that is done, and whose client never hears of it."""

from __future__ import annotations

from typing import ClassVar

from peeklock.stack.faults.fault import CommitFault


class LostCommitAnswer(CommitFault):
    """A transaction is committed, and its connection breaks before the client is told."""

    kind: ClassVar[str] = "lost_commit_answer"
    done: ClassVar[bool] = True
    summary: ClassVar[str] = "a transaction is committed, and its connection breaks before the client is told"
