"""Executions of a Container Apps job: how many more to begin at a look (documentation of KEDA, "Scaling Jobs")."""

from __future__ import annotations

import math

from peeklock.scenario.services import Job, Scale


def executions(rule: Scale, count: int, running: int, pending: int = 0) -> int:
    """Return how many executions to begin.

    `count`: messages in the queue, as for `deployment.plan`. `running`: executions that have not ended; `pending`: those of
    them that have not begun to work yet.
    """
    job = rule.job or Job()
    if count <= rule.activation:
        return 0
    most = min(math.ceil(count / rule.messages), rule.max)
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
