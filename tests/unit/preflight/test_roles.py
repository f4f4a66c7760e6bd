"""Which grant is missing."""

from __future__ import annotations

import pytest

from peeklock.preflight import roles
from peeklock.preflight.expected import Expected
from peeklock.preflight.places import read
from peeklock.preflight.roles import Grants
from peeklock.preflight.settings import Setting

SENDER, RECEIVER = "Azure Service Bus Data Sender", "Azure Service Bus Data Receiver"
OWNER = "Azure Service Bus Data Owner"
BLOBS = "Storage Blob Data Contributor"
EXPECTED = Expected({"jobs": "a.yaml:3", "results": "a.yaml:4"}, consumers={"jobs": ("worker",)})


def lacking(service: str, parts: list[str], has: list[tuple[str, str]], **variables: str) -> list[str]:
    settings = [Setting(service, name, value, "a.yaml:9") for name, value in variables.items()]
    grants = Grants({service: [service]}, {service: has}, {service: parts}, {service: "a.yaml:7"})
    found = roles.judge(read(settings), EXPECTED, grants).findings
    assert all(each.where in ("a.yaml:7", "a.yaml:9") for each in found)
    return [each.expected for each in found]


@pytest.mark.parametrize(
    "has", [[(RECEIVER, "jobs")], [(RECEIVER, "")], [(OWNER, "")], [(SENDER, ""), (RECEIVER, "JOBS")]]
)
def test_a_consumer_that_may_receive(has: list[tuple[str, str]]) -> None:
    assert lacking("worker", ["servicebus"], has) == []


@pytest.mark.parametrize("has", [[], [(SENDER, "")], [(RECEIVER, "results")]])
def test_a_consumer_that_may_not(has: list[tuple[str, str]]) -> None:
    assert lacking("worker", ["servicebus"], has) == [f"{RECEIVER} on jobs"]


def test_who_names_a_queue_and_does_not_receive_from_it_sends() -> None:
    assert lacking("api", ["servicebus"], [(SENDER, "results")], JOBS_QUEUE="jobs") == [f"{SENDER} on jobs"]
    assert lacking("api", ["servicebus"], [(SENDER, "jobs")], JOBS_QUEUE="jobs") == []


def test_who_is_told_the_namespace_has_some_role_there() -> None:
    assert lacking("api", ["servicebus"], [(BLOBS, "")]) == [SENDER]
    assert lacking("api", [], []) == []


def test_a_queue_that_the_file_does_not_declare() -> None:
    assert lacking("api", ["servicebus"], [(SENDER, "")], JOBS_QUEUE="jobz") == ["one of jobs, results"]


def test_blobs_and_models() -> None:
    assert lacking("api", ["blobs", "openai"], [("Storage Blob Delegator", "")]) == [
        BLOBS,
        "Cognitive Services OpenAI User",
    ]
    assert lacking("api", ["blobs"], [("Storage Blob Data Reader", "raw")]) == []
