"""What KEDA's scaler can see, by the rights of the access rule that it signs in with."""

from __future__ import annotations

import pytest

from peeklock.scaling import unseen
from peeklock.scenario.services import QueueRule
from peeklock.scenario.topology import ServiceBus

BUS = ServiceBus.model_validate(
    {
        "queues": {"jobs": {}, "others": {}},
        "topics": {"events": {"subscriptions": {"all": {}}}},
        "access_rules": {
            "root": {"rights": ["Manage", "Send", "Listen"]},
            "own": {"rights": ["Manage", "Send", "Listen"], "queue": "jobs"},
            "topic": {"rights": ["Manage", "Send", "Listen"], "queue": "events"},
            "worker": {"rights": ["Send", "Listen"]},
        },
    }
)


@pytest.mark.parametrize(
    ("queue", "auth", "why"),
    [
        ("jobs", None, ""),
        ("jobs", "root", ""),
        ("jobs", "own", ""),
        ("events/Subscriptions/all", "topic", ""),
        ("jobs", "worker", "which has Send and Listen but not Manage: it sees nothing"),
        ("others", "own", "which is for jobs: it sees nothing"),
    ],
)
def test_manage_on_the_queue_is_needed(queue: str, auth: str | None, why: str):
    found = unseen(QueueRule(queue=queue, auth=auth), BUS)
    assert found.endswith(why)
    assert bool(found) == bool(why)
