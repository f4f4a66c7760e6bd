"""`lost_commit: INSERT orders` — a transaction that is not done, because its connection breaks."""

from __future__ import annotations

from typing import ClassVar

from peeklock.stack.faults.fault import CommitFault


class LostCommit(CommitFault):
    """The connection breaks before the commit reaches the server, which then rolls back."""

    kind: ClassVar[str] = "lost_commit"
    summary: ClassVar[str] = "a transaction's connection breaks before its commit reaches the server: nothing is done"
