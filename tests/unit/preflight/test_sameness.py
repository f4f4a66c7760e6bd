"""When do services count as working on the same things?"""

from __future__ import annotations

from peeklock.preflight import sameness
from peeklock.preflight.sameness import Reached


def names(*each: tuple[str, str, str]) -> list[str]:
    reached = [Reached(service, variable, f"{service}.env", queue, queue) for service, variable, queue in each]
    return [found.name for found in sameness.judge("queue", "queues", reached, specific=True).findings]


def test_a_pipeline_whose_queues_lead_from_one_to_the_next_is_one_system() -> None:
    """api → jobs → orchestrator → exports → worker: `QUEUE_NAME` differs, and that is right."""
    assert (
        names(
            ("api", "QUEUE_NAME", "jobs"),
            ("orchestrator", "QUEUE_NAME", "jobs"),
            ("orchestrator", "EXPORT_QUEUE", "exports"),
            ("export", "QUEUE_NAME", "exports"),
        )
        == []
    )


def test_services_with_no_queue_in_common_are_a_fault() -> None:
    assert names(("api", "QUEUE_NAME", "jobs"), ("worker", "QUEUE_NAME", "job")) == ["different-queues"]


def test_a_variable_whose_name_says_what_it_is_for_means_one_thing() -> None:
    """They share `results`, and still differ in the queue of the queries."""
    assert names(
        ("api", "QUERIES_QUEUE", "queries"),
        ("api", "RESULTS_QUEUE", "results"),
        ("worker", "QUERIES_QUEUE", "querys"),
        ("worker", "RESULTS_QUEUE", "results"),
    ) == ["different-queues"]
