"""Replicas of a deployment, as KEDA and the Horizontal Pod Autoscaler decide on them together.

KEDA looks at the queues every `polling` seconds. It alone goes from nothing to something, as soon as there is work, and back
to nothing when there has been none for `cooldown`; between one and `max` the autoscaler's ratio decides, the largest where
there are several queues (documentation of KEDA, "Scaling Deployments"; of Kubernetes, "Horizontal Pod Autoscaling, Algorithm
details").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from peeklock.scenario.services import QueueRule, Scale

TOLERANCE = 0.1
"""By how much the load may be off what the replicas are for until their number is changed (HPA's default)."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known from the last look: how many replicas there are, and when there was work last (seconds, any clock)."""

    replicas: int
    active_at: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The state after a look, and the reason in a few words."""

    state: State
    why: str


def plan(rule: Scale, now: float, counts: Sequence[int | None], state: State) -> Decision:
    """Decide how many replicas there are to be.

    `counts`: active messages of each queue, those that are locked included, scheduled and dead-lettered ones not; None for a
    queue that the scaler cannot see. `now` in seconds of the clock that `state.active_at` is of.
    """
    seen = [(queue, count) for queue, count in zip(rule.queues, counts, strict=True) if count is not None]
    is_blind = len(seen) < len(counts)
    busy = [(queue, count) for queue, count in seen if count > queue.activation]
    active_at = now if busy else state.active_at
    current = state.replicas
    idle = "cannot see the queue" if is_blind else f"no work: {told(sum(count for _, count in seen))}"
    if current == 0:
        if busy:
            queue, count = busy[0]
            wanted, why = max(1, rule.min), f"{told(count)}, more than {queue.activation}{_of(rule, queue)}"
        else:
            wanted, why = rule.min, "at least so many" if rule.min else idle
    elif not busy and is_blind:
        wanted, why = current, idle  # KEDA leaves things as they are while a scaler fails
    elif not busy and rule.min == 0 and (active_at is None or now - active_at >= rule.cooldown):
        wanted, why = 0, f"no work for {rule.cooldown:g} s"
    else:
        wanted, why = max((_autoscaled(rule, queue, count, current) for queue, count in seen), key=lambda each: each[0])
        if is_blind and wanted < current:  # the autoscaler does not scale down while it lacks a number
            wanted, why = current, f"cannot see every queue; {why}"
    return Decision(State(wanted, active_at), why)


def _autoscaled(rule: Scale, queue: QueueRule, count: int, current: int) -> tuple[int, str]:
    ratio = count / (queue.messages * current)
    if abs(1 - ratio) <= TOLERANCE:
        desired, why = current, f"{told(count)} for {current}: near enough"
    else:
        desired = math.ceil(count / queue.messages)
        why = f"{told(count)} at {queue.messages} each"
    # the autoscaler never goes to nothing: that is KEDA's
    return min(max(desired, rule.min, 1), rule.max), why + _of(rule, queue)


def _of(rule: Scale, queue: QueueRule) -> str:
    return f" in {queue.queue}" if len(rule.queues) > 1 else ""


def told(count: int) -> str:
    """Return a number of messages in words."""
    return f"{count} message" + ("" if count == 1 else "s")
