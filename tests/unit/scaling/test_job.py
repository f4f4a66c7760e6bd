"""Executions of a Container Apps job: the four strategies, from KEDA's formulas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peeklock.scaling import executions
from peeklock.scenario.services import Job, Scale


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
    assert executions(rule(strategy), count, running, pending) == begun


def test_custom_takes_a_deduction_and_a_share_of_what_runs():
    custom = rule("custom", queue_length_deduction=2, running_percentage=0.5)
    assert executions(custom, 8, 3) == 5  # 8 - 2 - int(1.5)


def test_one_execution_is_for_so_many_messages():
    assert executions(rule(messages=5), 11, 0) == 3


def test_nothing_begins_below_the_activation():
    assert executions(rule(activation=5), 5, 0) == 0
    assert executions(rule(activation=5), 6, 0) == 6


@given(
    strategy=st.sampled_from(["default", "accurate", "eager"]), count=st.integers(0, 1000), running=st.integers(0, 10),
    most=st.integers(1, 10), target=st.integers(1, 10),
)  # fmt: skip
def test_never_more_than_the_most(strategy: str, count: int, running: int, most: int, target: int):
    more = executions(rule(strategy, target, max=most), count, min(running, most))
    assert 0 <= more <= most
    assert min(running, most) + more <= most
