"""What KEDA's scaler can see, by the rights of the access rule or the roles of the identity that it signs in with."""

from __future__ import annotations

from typing import Any

import pytest

from peeklock.scaling import OWNER, unseen
from peeklock.scenario.services import QueueRule
from peeklock.scenario.topology import Stack

STACK = Stack.model_validate(
    {
        "servicebus": {
            "name": "contoso",
            "queues": {"jobs": {}, "others": {}},
            "topics": {"events": {"subscriptions": {"all": {}}}},
            "access_rules": {
                "root": {"rights": ["Manage", "Send", "Listen"]},
                "own": {"rights": ["Manage", "Send", "Listen"], "queue": "jobs"},
                "topic": {"rights": ["Manage", "Send", "Listen"], "queue": "events"},
                "worker": {"rights": ["Send", "Listen"]},
            },
        },
        "identities": {
            "owner": [{"role": OWNER, "on": "jobs"}],
            "reader": ["Azure Service Bus Data Receiver"],
        },
    }
)


@pytest.mark.parametrize(
    ("queue", "by", "why"),
    [
        ("jobs", {}, ""),
        ("jobs", {"auth": "root"}, ""),
        ("jobs", {"auth": "own"}, ""),
        ("events/Subscriptions/all", {"auth": "topic"}, ""),
        ("jobs", {"auth": "worker"}, "which has Send and Listen but not Manage: it sees nothing"),
        ("others", {"auth": "own"}, "which is for jobs: it sees nothing"),
        ("jobs", {"identity": "owner"}, ""),
        ("others", {"identity": "owner"}, f"which has no role on it but not {OWNER}: it sees nothing"),
        ("jobs", {"identity": "reader"}, f"has Azure Service Bus Data Receiver on it but not {OWNER}: it sees nothing"),
    ],
)
def test_manage_on_the_queue_is_needed(queue: str, by: dict[str, Any], why: str):
    found = unseen(QueueRule(queue=queue, **by), STACK)
    assert found.endswith(why)
    assert bool(found) == bool(why)


def test_roles_that_a_case_has_changed_count():
    rule = QueueRule(queue="jobs", identity="owner")
    assert unseen(rule, STACK, lambda _: [])
    assert not unseen(rule, STACK, lambda _: [(OWNER, "")])
