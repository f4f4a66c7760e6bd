"""What a topology becomes for Microsoft's emulator, and what is refused before anything starts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from peeklock.scenario.topology import ServiceBus
from peeklock.servicebus.config import load_namespaces
from peeklock.stack.containers.microsoft.configuration import configuration
from peeklock.stack.errors import StackError

DURATION = re.compile(r"P(?!$)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?")
"""As the official schema has it: no fractions."""


def topology(**facts: Any) -> ServiceBus:
    return ServiceBus.model_validate(facts)


def namespace(**facts: Any) -> dict[str, Any]:
    (found,) = configuration(topology(**facts))["UserConfig"]["Namespaces"]
    assert isinstance(found, dict)
    return found


def test_a_queue_says_everything_as_the_defaults_differ_from_azure() -> None:
    made = namespace(queues={"jobs": {"duplicate_detection_window": "20s", "forward_to": "out"}, "out": {}})
    assert made["Name"] == "sbemulatorns"
    assert made["Topics"] == []
    assert made["Queues"][0] == {
        "Name": "jobs",
        "Properties": {
            "DeadLetteringOnMessageExpiration": False,
            "DefaultMessageTimeToLive": "PT1H",
            "DuplicateDetectionHistoryTimeWindow": "PT20S",
            "ForwardDeadLetteredMessagesTo": "",
            "ForwardTo": "out",
            "LockDuration": "PT1M",
            "MaxDeliveryCount": 10,
            "RequiresDuplicateDetection": True,
            "RequiresSession": False,
        },
    }
    assert "DuplicateDetectionHistoryTimeWindow" not in made["Queues"][1]["Properties"]


def test_rules_become_filters_of_the_two_kinds_that_it_knows() -> None:
    rules = {
        "all": True,
        "none": False,
        "big": {"sql": "amount > 100", "action": "SET sys.Label = 'big'"},
        "mine": {"correlation": {"subject": "a", "properties": {"tenant": "x"}}},
    }
    made = namespace(
        topics={"events": {"subscriptions": {"audit": {"rules": rules}, "plain": {}, "deaf": {"rules": {}}}}}
    )
    audit, plain, deaf = made["Topics"][0]["Subscriptions"]
    assert [each["Properties"] for each in audit["Rules"]] == [
        {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "1=1"}},
        {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "1=0"}},
        {
            "FilterType": "Sql",
            "SqlFilter": {"SqlExpression": "amount > 100"},
            "Action": {"SqlExpression": "SET sys.Label = 'big'"},
        },
        {"FilterType": "Correlation", "CorrelationFilter": {"Label": "a", "Properties": {"tenant": "x"}}},
    ]
    assert "Rules" not in plain  # every message
    assert [each["Properties"]["SqlFilter"] for each in deaf["Rules"]] == [{"SqlExpression": "1=0"}]


def test_what_is_written_is_what_peeklocks_emulator_reads_in_the_same_file() -> None:
    wanted = topology(
        queues={"jobs": {"max_delivery_count": 4, "lock_duration": "7s", "requires_session": True, "default_time_to_live": "10m"}},
        topics={"events": {"duplicate_detection_window": "1m", "subscriptions": {"all": {"max_delivery_count": 2}}}},
    )  # fmt: skip
    text = json.dumps(configuration(wanted))
    (read,) = load_namespaces(text, port=5672).values()
    jobs, events = read.queues["jobs"], read.topics["events"]
    assert (jobs.max_delivery_count, jobs.lock_duration, jobs.requires_session, jobs.default_time_to_live) == (
        4,
        7,
        True,
        600,
    )
    assert events.duplicate_detection_window == 60
    assert events.subscriptions["all"].max_delivery_count == 2
    spans = [value for key, value in pairs(json.loads(text)) if key.endswith(("Duration", "TimeToLive", "Window"))]
    assert len(spans) == 6
    assert all(DURATION.fullmatch(span) for span in spans)


def pairs(value: Any) -> list[tuple[str, Any]]:
    """Every key and value in a document, however deep."""
    if isinstance(value, Mapping):
        return [*value.items(), *(pair for inner in value.values() for pair in pairs(inner))]
    return [pair for inner in value for pair in pairs(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"queues": {"jobs": {"max_delivery_count": 11}}}, "queues.jobs: max_delivery_count 11, at most 10"),
        ({"queues": {"jobs": {"default_time_to_live": "2h"}}}, "queues.jobs: default_time_to_live 7200 s, from 300 s to 3600 s"),
        ({"queues": {"jobs": {"default_time_to_live": "1s"}}}, "default_time_to_live 1 s"),
        ({"queues": {"jobs": {"duplicate_detection_window": "10m"}}}, "queues.jobs: duplicate_detection_window 600 s, from 5 s to 300 s"),
        ({"queues": {"jobs": {"lock_duration": "1s"}}}, "queues.jobs: lock_duration 1 s, from 5 s"),
        ({"queues": {"jobs": {"lock_duration": "5500ms"}}}, "lock_duration 5.5 s, whole seconds only"),
        ({"queues": {f"q{n}": {} for n in range(51)}}, "51 queues and topics, at most 50"),
        ({"queues": {"~jobs": {}}}, "queues.~jobs: a name has letters"),
        ({"topics": {"events": {}}}, "topics.events: 0 subscriptions, from 1 to 50"),
        ({"topics": {"events": {"subscriptions": {f"s{n}": {} for n in range(51)}}}}, "51 subscriptions, from 1 to 50"),
        ({"topics": {"events": {"default_time_to_live": "2h", "subscriptions": {"all": {}}}}}, "topics.events: default_time_to_live"),
        ({"topics": {"events": {"subscriptions": {"all": {"max_delivery_count": 12}}}}}, "topics.events.all: max_delivery_count 12"),
        ({"topics": {"t": {"subscriptions": {"s": {"rules": {"r": {"sql": f"a = '{'x' * 1100}'"}}}}}}}, "topics.t.s.r: an expression of 1106 characters"),
        ({"topics": {"t": {"subscriptions": {"s": {"rules": {"r": {"correlation": {"colour": "x"}}}}}}}}, "cannot compare colour"),
        ({"access_rules": {"sender": {"rights": ["Send"]}}}, "access_rules (sender)"),
    ],
)  # fmt: skip
def test_what_it_cannot_hold_is_refused_with_the_limit(facts: dict[str, Any], named: str) -> None:
    with pytest.raises(StackError) as error:
        configuration(topology(**facts))
    assert named in (error.value.actual or "")


def test_more_clients_than_it_lets_in_are_refused() -> None:
    configuration(topology(queues={"jobs": {}}), connections=10)
    with pytest.raises(StackError) as error:
        configuration(topology(queues={"jobs": {}}), connections=11)
    assert error.value.actual == "11 connections at once, at most 10"


def test_every_limit_that_is_passed_is_named_at_once() -> None:
    with pytest.raises(StackError) as error:
        configuration(topology(queues={"a": {"max_delivery_count": 99}, "b": {"duplicate_detection_window": "1d"}}))
    assert (error.value.actual or "").count(";") == 1


def test_nobody_accepts_the_licences_for_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before an engine is asked, or anything pulled."""
    container = pytest.importorskip(
        "peeklock.stack.containers.microsoft.container", reason="the extra `containers` is not installed"
    )
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    for answer in (None, "", "N", "1", "true"):
        if answer is None:
            monkeypatch.delenv("ACCEPT_EULA", raising=False)
        else:
            monkeypatch.setenv("ACCEPT_EULA", answer)
        with pytest.raises(container.LicenceNotAccepted, match="accept_eula=True"):
            container.ServiceBusEmulatorContainer(config={})


@pytest.mark.parametrize("module", ["microsoft/container.py", "emulator.py"])
def test_a_testcontainers_module_needs_nothing_of_peeklock(module: str) -> None:
    """So that it can be offered to that project as it is."""
    text = (Path(__file__).parents[3] / "harness" / "peeklock" / "stack" / "containers" / module).read_text(
        encoding="utf-8"
    )
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) - {"__future__"} <= {"testcontainers", "azure"}
