"""Executions of a Container Apps job: the four strategies, from KEDA's formulas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.scaling import executions, status
from peeklock.scenario.services import Job, QueueRule, Scale


def rule(strategy: Any = "default", messages: int = 1, **more: Any) -> Scale:
    job = Job(strategy=strategy, **{key: value for key, value in more.items() if key in Job.model_fields})
    settings = {key: value for key, value in more.items() if key in Scale.model_fields}
    return Scale(queue="jobs", messages=messages, job=job, **settings)


@pytest.mark.parametrize(
    ("strategy", "count", "running", "pending", "begun"),
    [
        # at most min(ceil(length / target), max): here 10 of them
        ("default", 0, 0, 0, 0),
        ("default", 3, 0, 0, 3),
        ("default", 30, 0, 0, 10),
        ("default", 3, 1, 0, 2),
        ("default", 3, 5, 0, 0),
        # the queue does not hold any more what is being worked on
        ("accurate", 3, 5, 0, 3),
        ("accurate", 8, 5, 0, 5),
        ("accurate", 3, 2, 2, 1),
        # as many as there is room for
        ("eager", 3, 5, 0, 3),
        ("eager", 30, 5, 2, 3),
        ("eager", 30, 10, 0, 0),
    ],
)
def test_strategies(strategy: str, count: int, running: int, pending: int, begun: int):
    assert executions(rule(strategy), [count], running, pending) == begun


def test_custom_takes_a_deduction_and_a_share_of_what_runs():
    custom = rule("custom", queue_length_deduction=2, running_percentage=0.5)
    assert executions(custom, [8], 3) == 5  # 8 - 2 - int(1.5)


def test_one_execution_is_for_so_many_messages():
    assert executions(rule(messages=5), [11], 0) == 3


def test_nothing_begins_below_the_activation():
    assert executions(rule(activation=5), [5], 0) == 0
    assert executions(rule(activation=5), [6], 0) == 6


@given(
    strategy=st.sampled_from(["default", "accurate", "eager"]), count=st.integers(0, 1000), running=st.integers(0, 10),
    most=st.integers(1, 10), target=st.integers(1, 10),
)  # fmt: skip
def test_never_more_than_the_most(strategy: str, count: int, running: int, most: int, target: int):
    more = executions(rule(strategy, target, max=most), [count], min(running, most))
    assert 0 <= more <= most
    assert min(running, most) + more <= most


def test_of_several_queues_the_largest_number_wins():
    several = Scale(rules=[QueueRule(queue="a", messages=5), QueueRule(queue="b", messages=1, activation=3)], job=Job())
    assert executions(several, [30, 2], 0) == 6
    assert executions(several, [30, 8], 0) == 8
    assert executions(several, [30, 3], 0) == 6  # not more than its activation
    assert executions(several, [None, 4], 0) == 4
    assert executions(several, [None, None], 0) == 0


@pytest.mark.parametrize(
    ("succeeded", "failed", "then"),
    [
        (0, 0, "running"),
        (1, 1, "running"),
        (2, 0, "succeeded"),
        (2, 1, "succeeded"),
        (0, 2, "failed"),
        (1, 2, "failed"),
    ],
)
def test_two_of_three_replicas_make_a_success(succeeded: int, failed: int, then: str):
    assert status(Job(parallelism=3, completion_count=2), succeeded, failed) == then
