"""Queues that are not there, and rules without the right, against the emulator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from peeklock.preflight.checking import check
from peeklock.preflight.expected import Expected
from peeklock.preflight.findings import Report
from peeklock.preflight.settings import Setting
from peeklock.servicebus import AccessRule, Emulator, Queue, Rule, Subscription, Topic, Topology

SUBSCRIPTION = "orders/Subscriptions/billing"


@pytest.fixture(scope="module")
def bus() -> Iterator[Emulator]:
    rules = [
        AccessRule("all", "k-all", frozenset({"Send", "Listen", "Manage"})),
        AccessRule("sender", "k-send", frozenset({"Send"})),
        AccessRule("of-jobs", "k-jobs", frozenset({"Send", "Listen"}), "jobs"),
    ]
    topics = {"orders": Topic(subscriptions={"billing": Subscription(rules={"large": Rule(sql="amount > 9")})})}
    queues = {"jobs": Queue(), "results": Queue(), "talks": Queue(requires_session=True)}
    with Emulator(Topology(queues=queues, topics=topics, access_rules=rules)) as emulator:
        yield emulator


def told(bus: Emulator, service: str = "worker", rule: str = "all", **variables: str) -> list[Setting]:
    variables |= {"AZURE_SERVICEBUS_CONNECTION_STRING": bus.connection_string(rule)}
    return [Setting(service, name, value, f"{service}.env ({name})") for name, value in variables.items()]


def names(report: Report) -> list[str]:
    return [each.name for each in report.findings]


def test_a_queue_that_is_there_is_fine(bus: Emulator) -> None:
    report = check(told(bus, JOBS_QUEUE="jobs", TALKS_QUEUE="talks"))
    assert report.findings == ()
    assert {"jobs is there for worker", "talks is there for worker"} <= {*report.checked}


def test_a_queue_that_is_not_there_is_named_with_the_nearest(bus: Emulator) -> None:
    report = check(told(bus, JOBS_QUEUE="jobz", RESULTS_QUEUE="results", OTHER_QUEUE="jobs"))
    (found,) = report.findings
    assert (found.name, found.where) == ("queue-missing", "worker.env (JOBS_QUEUE)")
    assert found.fix == 'did you mean "jobs"?'


def test_a_subscription_is_looked_for_in_its_topic(bus: Emulator) -> None:
    assert check(told(bus, ORDERS_TOPIC="orders", BILLING_SUBSCRIPTION="billing")).findings == ()
    assert names(check(told(bus, ORDERS_TOPIC="orders", BILLING_SUBSCRIPTION="bills"))) == ["subscription-missing"]


def test_what_the_file_declares_must_be_there(bus: Emulator) -> None:
    expected = Expected(
        entities={"jobs": "a.yaml:3", "gone": "a.yaml:4", SUBSCRIPTION: "a.yaml:5"},
        rules={SUBSCRIPTION: {"large": "a.yaml:6", "small": "a.yaml:7"}},
    )
    found = check(told(bus), expected).findings
    assert [(each.name, each.where.partition(",")[0]) for each in found] == [
        ("queue-missing", "a.yaml:4"),
        ("rule-missing", "a.yaml:7"),
    ]


def test_a_rule_of_another_queue_has_no_right_here(bus: Emulator) -> None:
    assert names(check(told(bus, rule="of-jobs", RESULTS_QUEUE="results"))) == ["right-missing"]


def test_a_consumer_needs_listen(bus: Emulator) -> None:
    expected = Expected({"jobs": "a.yaml:3"}, consumers={"jobs": ("worker",)})
    (found,) = check(told(bus, rule="sender"), expected).findings
    assert (found.name, found.expected) == ("right-missing", "a rule with Listen")


def test_a_queue_that_nobody_may_receive_from(bus: Emulator) -> None:
    both = [*told(bus, "api", "sender", JOBS_QUEUE="jobs"), *told(bus, "worker", "sender", JOBS_QUEUE="jobs")]
    (found,) = check(both).findings
    assert found.what == "none of api, worker may receive from jobs"


def test_a_key_that_is_refused(bus: Emulator) -> None:
    """Told once, however many queues there are, and without the key."""
    wrong = bus.connection_string("all").replace("k-all", "another-key")
    settings = [Setting("api", "BUS", wrong, "api.env:1"), *told(bus, "api", A_QUEUE="jobs", B_QUEUE="results")[:2]]
    (found,) = check(settings).findings
    assert (found.name, found.where) == ("key-refused", "api.env:1")
    assert "another-key" not in found.text()


def test_a_namespace_where_nothing_listens() -> None:
    text = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=hidden-key;UseDevelopmentEmulator=true"
    (found,) = check([Setting("api", "BUS", text, "api.env:1"), Setting("api", "QUEUE", "jobs", "api.env:2")]).findings
    assert found.name == "namespace-unreachable"
    assert "nothing listens there" in found.what


def test_an_identity_is_told_as_not_checked() -> None:
    report = check([Setting("api", "AZURE_SERVICEBUS_NAMESPACE", "contoso-orders", "api.env:1")])
    assert report.findings == ()
    assert [each.what for each in report.unchecked] == ["what api may do at contoso-orders.servicebus.windows.net"]
