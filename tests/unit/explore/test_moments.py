"""Moments: what services do has the same names in every run, and each can be disturbed by a step of the language."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from peeklock.explore.disturbances import disturbances
from peeklock.explore.kind import Disturbance
from peeklock.explore.moments import (
    CommitMoment,
    MessageMoment,
    RequestMoment,
    commit_moments,
    common,
    message_moments,
    request_moments,
)
from peeklock.scenario.loader import read_steps
from peeklock.stack.backend import DatabaseTransaction, RelayedRequest
from peeklock.verbs import VOCABULARY
from tests.unit.engine.fake import FakeEnvironment, scenario_of

MESSAGES = [MessageMoment("worker", each, "jobs", 2) for each in ("send", "deliver", "complete", "dead_letter")]
REQUESTS = [RequestMoment("api", "GET", "/jobs", 1), RequestMoment("blobs", "PUT", "", 3)]
COMMITS = [CommitMoment("worker", ("INSERT result", "UPDATE job"), 1, 2), CommitMoment("api", ("INSERT job",), 1, 1)]
ALL = [*MESSAGES, *REQUESTS, *COMMITS]
HEADER = """\
scenario: test
stack: {postgres: {}, blobs: {containers: [images]}, servicebus: {queues: {jobs: {consumers: [worker]}}}}
services: {worker: {run: [python]}, api: {run: [python], ready: {http: /}}}
"""


def recorded() -> FakeEnvironment:
    """The test sends two jobs; the worker completes the first, gives the second back once, and tells of both."""
    world = FakeEnvironment("worker")
    for number in (1, 2):
        world.happen("enqueued", sequence=number, message_id=str(number), sender="RootManageSharedAccessKey")
        world.happen("delivered", sequence=number, message_id=str(number), consumer="service-worker.1@x/1")
    world.happen("completed", sequence=1, message_id="1", consumer="service-worker.1@x/1")
    world.happen("abandoned", sequence=2, message_id="2", consumer="service-worker.1@x/1")
    world.happen(
        "enqueued", "results", sequence=1, message_id="r", sender="worker as id (Azure Service Bus Data Sender)"
    )
    return world


def test_moments_are_what_services_do_with_messages_and_not_what_the_test_does() -> None:
    found = [str(each) for each in message_moments(recorded().entries, ["worker"])]
    assert found == [
        "worker deliver jobs#1", "worker deliver jobs#2", "worker complete jobs#1", "worker abandon jobs#1",
        "worker send results#1",
    ]  # fmt: skip


def test_moments_that_some_run_lacks_are_left_out() -> None:
    every = list(message_moments(recorded().entries, ["worker"]))
    assert common([every, every[1:]]) == every[1:]


def test_requests_have_their_path_where_it_is_the_same_in_every_run() -> None:
    """A fault takes a part of a path: a longer one that comes before counts."""
    fixed = [RelayedRequest("api", "GET", path) for path in ("/jobs/all", "/jobs")]
    runs = [[*fixed, RelayedRequest("blobs", "PUT", f"/images/{number}")] for number in range(2)]
    assert [str(each) for each in request_moments(runs)] == [
        "GET /jobs/all of api#1", "GET /jobs of api#2", "PUT … of blobs#1",
    ]  # fmt: skip


def committed(service: str, *changes: str, end: Any = "committed", asked: bool = True) -> DatabaseTransaction:
    return DatabaseTransaction(service, 1.0, 2.0, end, asked, "", changes, ())


def test_commits_are_counted_as_a_step_counts_them() -> None:
    """With others that have the same changes and more; and apart from those that came to nothing where it is to be done."""
    found = commit_moments(
        [
            committed("worker.1", "INSERT result", "UPDATE job"),
            committed("worker", "UPDATE job", end="failed"),
            committed("worker", "UPDATE job", end="rolled back", asked=False),
            committed("api", "UPDATE job"),
            committed("", "UPDATE job"),
            committed("worker.0", "UPDATE job"),
        ],
        ["worker", "api"],
    )
    assert [(str(each), each.asked) for each in found] == [
        ("worker COMMIT INSERT result + UPDATE job#1", 1),
        ("api COMMIT UPDATE job#1", 1),
        ("worker COMMIT UPDATE job#2", 3),
    ]


def test_a_disturbed_commit_is_a_point_or_a_fault_of_it() -> None:
    steps = [each.steps[0] for each in disturbances(COMMITS[:1], None)]
    changes = ["INSERT result", "UPDATE job"]
    assert steps == [
        {"crash": {"service": "worker", "at": {"commit": changes, "nth": 2}}},
        {"crash": {"service": "worker", "at": {"committed": changes}}},
        {"fault": {"on": "postgres", "lost_commit": {"changes": changes, "by": "worker", "nth": 2}, "times": 1}},
        {"fault": {"on": "postgres", "lost_commit_answer": {"changes": changes, "by": "worker"}, "times": 1}},
    ]


@pytest.mark.parametrize("disturbance", [*disturbances(ALL, 6.0)], ids=lambda each: each.text)
def test_every_disturbance_is_a_step_of_the_language(disturbance: Disturbance, tmp_path: Path) -> None:
    scenario = scenario_of(tmp_path, "cases: {a: {steps: [{settle: }]}}", HEADER)
    (step,) = read_steps(scenario, disturbance.steps, VOCABULARY)
    assert step.verb.name in ("crash", "fault", "pause")


def test_disturbances_have_names_of_their_own() -> None:
    every = list(disturbances(ALL, 6.0))
    assert len({each.text for each in every}) == len(every) > 23


def test_nothing_is_slow_where_that_would_take_too_long() -> None:
    kinds = {kind for each in disturbances(ALL, None) for kind in each.kinds}
    assert {"late", "pauses"}.isdisjoint(kinds)
