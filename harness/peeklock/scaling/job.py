"""Container Apps jobs: how many more executions to begin at a look (documentation of KEDA, "Scaling Jobs"), and what has become
of one (documentation of Container Apps, "Jobs")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from peeklock.scenario.services import Job, Scale

Status = Literal["running", "succeeded", "failed"]


def executions(rule: Scale, counts: Sequence[int | None], running: int, pending: int = 0) -> int:
    """Return how many executions to begin: as many as the busiest queue asks for.

    `counts`: messages of each queue, as for `deployment.plan`. `running`: executions that have not ended; `pending`: those of
    them that have not begun to work yet.
    """
    job = rule.job or Job()
    asked = [
        math.ceil(count / queue.messages)
        for queue, count in zip(rule.queues, counts, strict=True)
        if count is not None and count > queue.activation
    ]
    if not asked:
        return 0
    most = min(max(asked), rule.max)
    match job.strategy:
        case "default":
            more = most - running
        case "custom":
            more = min(most - job.queue_length_deduction - int(running * job.running_percentage), rule.max)
        case "accurate":
            # the queue forgets what is being worked on, so only the limit makes running ones count
            more = rule.max - running if most + running > rule.max else most - pending
        case "eager":
            more = min(rule.max - running - pending, most)
    return max(0, more)


def status(job: Job, succeeded: int, failed: int) -> Status:
    """Return what an execution is by how many of its replicas have succeeded, and failed for good.

    It has succeeded with the last replica that it needs, and failed as soon as too few are left.
    """
    if succeeded >= job.completion_count:
        return "succeeded"
    return "failed" if job.parallelism - failed < job.completion_count else "running"
