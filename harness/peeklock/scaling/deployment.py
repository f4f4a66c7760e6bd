"""Replicas of a deployment, as KEDA and the Horizontal Pod Autoscaler decide on them together.

KEDA looks at the queue every `polling` seconds. It alone goes from nothing to something, as soon as there is work, and back
to nothing when there has been none for `cooldown`; between one and `max` the autoscaler's ratio decides (documentation of
KEDA, "Scaling Deployments"; of Kubernetes, "Horizontal Pod Autoscaling, Algorithm details").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from peeklock.scenario.services import Scale

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


def plan(rule: Scale, now: float, count: int, state: State) -> Decision:
    """Decide how many replicas there are to be.

    `count`: active messages of the queue, those that are locked included, scheduled and dead-lettered ones not. `now` in
    seconds of the clock that `state.active_at` is of.
    """
    is_active = count > rule.activation
    active_at = now if is_active else state.active_at
    current = state.replicas
    if current == 0:
        if is_active:
            wanted, why = max(1, rule.min), f"{_messages(count)}, more than {rule.activation}"
        else:
            wanted, why = rule.min, "at least so many" if rule.min else f"no work: {_messages(count)}"
    elif not is_active and rule.min == 0 and (active_at is None or now - active_at >= rule.cooldown):
        wanted, why = 0, f"no work for {rule.cooldown:g} s"
    else:
        wanted, why = _autoscaled(rule, count, current)
    return Decision(State(wanted, active_at), why)


def _autoscaled(rule: Scale, count: int, current: int) -> tuple[int, str]:
    ratio = count / (rule.messages * current)
    if abs(1 - ratio) <= TOLERANCE:
        desired, why = current, f"{_messages(count)} for {current}: near enough"
    else:
        desired = math.ceil(count / rule.messages)
        why = f"{_messages(count)} at {rule.messages} each"
    # the autoscaler never goes to nothing: that is KEDA's
    return min(max(desired, rule.min, 1), rule.max), why


def _messages(count: int) -> str:
    return f"{count} message" + ("" if count == 1 else "s")
