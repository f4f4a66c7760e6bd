"""Replicas of a deployment: KEDA's activation and cool-down, the autoscaler's ratio."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.scaling import State, plan
from peeklock.scenario.services import QueueRule, Scale

RULE = Scale(queue="jobs")


def wanted(
    count: int, replicas: int, rule: Scale = RULE, *, now: float = 1000.0, active_at: float | None = 1000.0
) -> int:
    return plan(rule, now, [count], State(replicas, active_at)).state.replicas


@pytest.mark.parametrize(
    ("count", "replicas", "after"),
    [
        (0, 0, 0),
        (1, 0, 1),  # from nothing, one at first, however much there is
        (100, 0, 1),
        (100, 1, 10),  # then as many as the load asks for, at most `max`
        (23, 1, 5),  # ceil(23 / 5)
        (5, 1, 1),
        (6, 1, 2),  # ratio 1.2
        (21, 4, 4),  # ratio 1.05: within the tolerance
        (11, 2, 3),  # ratio 1.1, which floating point puts beyond it, here as in Kubernetes
        (12, 2, 3),  # ratio 1.2
        (9, 2, 2),  # ratio 0.9: within the tolerance
        (8, 2, 2),  # ratio 0.8: ceil(8 / 5) is 2 again
        (4, 2, 1),
        (0, 7, 1),  # the autoscaler stops at one
        (50, 10, 10),
        (45, 10, 10),  # ratio 0.9
        (44, 10, 9),  # ratio 0.88
    ],
)
def test_replicas_follow_the_ratio_of_load_and_target(count: int, replicas: int, after: int):
    assert wanted(count, replicas) == after


def test_nothing_is_left_when_there_was_no_work_for_the_cooldown():
    assert wanted(0, 1, active_at=701.0) == 1
    assert wanted(0, 1, active_at=700.0) == 0


def test_the_cooldown_goes_only_to_nothing_and_never_below_the_least():
    rule = Scale(queue="jobs", min=2)
    assert wanted(0, 5, rule, active_at=0.0) == 2
    assert wanted(0, 0, rule) == 2


def test_work_begins_the_cooldown_anew():
    assert plan(RULE, 500.0, [1], State(1, 0.0)).state.active_at == 500.0
    assert plan(RULE, 500.0, [0], State(1, 0.0)).state.active_at == 0.0


def test_activation_is_a_threshold_of_its_own():
    """As few as `activation` do not wake anybody; but while somebody is awake, they are work for the autoscaler."""
    rule = Scale(queue="jobs", activation=10, messages=2)
    assert wanted(10, 0, rule) == 0
    assert wanted(11, 0, rule) == 1
    assert wanted(10, 1, rule) == 5


def test_the_first_step_is_the_least_that_the_rule_allows():
    assert wanted(1, 0, Scale(queue="jobs", min=0, max=3)) == 1
    assert wanted(1, 0, Scale(queue="jobs", min=3)) == 3


@given(
    count=st.integers(0, 10_000), replicas=st.integers(0, 50), least=st.integers(0, 10), more=st.integers(1, 40),
    messages=st.integers(1, 100), idle=st.floats(0, 1000),
)  # fmt: skip
def test_the_number_stays_within_the_bounds_and_another_look_changes_nothing(
    count: int, replicas: int, least: int, more: int, messages: int, idle: float
):
    rule = Scale(queue="jobs", min=least, max=max(1, least + more), messages=messages)
    decided = plan(rule, 2000.0, [count], State(replicas, 2000.0 - idle)).state
    assert rule.min <= decided.replicas <= rule.max or (decided.replicas == 0 and rule.min == 0)
    if count and replicas:
        again = plan(rule, 2000.0, [count], decided).state
        tolerated = abs(1 - count / (messages * decided.replicas)) <= 0.1
        assert not tolerated or again.replicas == decided.replicas
        assert math.ceil(count / messages) <= rule.max or again.replicas == rule.max or tolerated


def test_the_reason_is_told():
    assert plan(RULE, 0.0, [1], State(0)).why == "1 message, more than 0"
    assert plan(RULE, 0.0, [23], State(1, 0.0)).why == "23 messages at 5 each"
    assert plan(RULE, 300.0, [0], State(1, 0.0)).why == "no work for 300 s"


TWO = Scale(rules=[QueueRule(queue="a", messages=5), QueueRule(queue="b", messages=1, activation=3)])


@pytest.mark.parametrize(
    ("counts", "replicas", "after", "why"),
    [
        ([0, 0], 0, 0, "no work: 0 messages"),
        ([0, 3], 0, 0, "no work: 3 messages"),  # not more than the activation of its rule
        ([0, 4], 0, 1, "4 messages, more than 3 in b"),
        ([20, 7], 1, 7, "7 messages at 1 each in b"),
        ([40, 7], 1, 8, "40 messages at 5 each in a"),
        # a queue that cannot be seen
        ([None, 0], 0, 0, "cannot see the queue"),
        ([None, 0], 4, 4, "cannot see the queue"),
        ([None, 7], 1, 7, "7 messages at 1 each in b"),
        ([None, 4], 9, 9, "cannot see every queue; 4 messages at 1 each in b"),
        ([None, None], 0, 0, "cannot see the queue"),
    ],
)
def test_of_several_queues_the_largest_number_wins(counts: list[int | None], replicas: int, after: int, why: str):
    """While one cannot be seen, the others may add replicas, and nobody is sent away."""
    decision = plan(TWO, 1000.0, counts, State(replicas, 0.0))
    assert (decision.state.replicas, decision.why) == (after, why)
