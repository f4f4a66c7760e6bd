"""Recovery: only those locks are ended early that nobody can settle any more."""

from __future__ import annotations

import time
from typing import Any

import pytest

from peeklock.explore.recovery import orphaned
from tests.unit.engine.fake import FakeEnvironment

WORKER: dict[str, Any] = {"message_id": "m", "consumer": "service-worker@x/1"}
LOST = {"fault": "drop_settlement", "phase": "strike", "message_id": "m"}


@pytest.mark.parametrize(
    ("then", "gone", "expected"),
    [
        ([], {}, []),
        ([], {"worker": 1e12}, ["m"]),
        ([], {"other": 1e12}, []),
        ([("completed", WORKER)], {"worker": 1e12}, []),
        ([("renewed", WORKER)], {"worker": 1e12}, ["m"]),
        ([("fault", LOST)], {}, ["m"]),
        ([("fault", LOST), ("lock_expired", WORKER), ("delivered", WORKER)], {}, []),
    ],
)
def test_a_lock_is_orphaned_when_its_holder_is_gone_or_believes_it_settled(
    then: list[tuple[str, dict[str, Any]]], gone: dict[str, float], expected: list[str]
) -> None:
    world = FakeEnvironment("worker")
    for event, facts in (("enqueued", {"message_id": "m"}), ("delivered", WORKER), *then):
        world.happen(event, **facts)
    assert [entry.message_id for entry in orphaned(world.entries, gone)] == expected


def test_what_was_delivered_after_the_crash_has_a_holder() -> None:
    world = FakeEnvironment("worker")
    crashed = time.time()
    world.happen("delivered", **WORKER)
    assert list(orphaned(world.entries, {"worker": crashed})) == []
