"""`stack.servicebus.config`: entities of the official emulator's Config.json, under what the scenario says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peeklock.scenario.errors import ScenarioInvalid
from peeklock.scenario.loader import load
from peeklock.scenario.model import Scenario
from peeklock.scenario.topology import ServiceBus
from peeklock.verbs import VOCABULARY

RULE = {"Name": "large", "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "size > 5"}}}
NAMESPACE: dict[str, Any] = {
    "Name": "sbemulatorns",
    "Queues": [
        {"Name": "orders", "Properties": {"LockDuration": "PT1M", "MaxDeliveryCount": 3, "RequiresSession": True}},
        {"Name": "notes", "Properties": {"ForwardTo": "orders"}},
    ],
    "Topics": [
        {"Name": "events", "Properties": {}, "Subscriptions": [{"Name": "all"}, {"Name": "big", "Rules": [RULE]}]}
    ],
}
SCENARIO = """\
scenario: S
stack: {servicebus: {config: servicebus/Config.json, queues: {orders: {max_delivery_count: 7}, own: }}}
cases: {one: {steps: [{queue: notes, expect: {active: 0}}]}}
"""


def scenario(folder: Path, *namespaces: dict[str, Any], text: str = SCENARIO) -> Scenario:
    (folder / "servicebus").mkdir(exist_ok=True)
    config = {"UserConfig": {"Namespaces": namespaces}}
    (folder / "servicebus/Config.json").write_text(f"// ours\n{json.dumps(config, indent=1)}", encoding="utf-8")
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return load(folder / "s.yaml", VOCABULARY)


def bus_of(found: Scenario) -> ServiceBus:
    assert found.header.stack.servicebus is not None
    return found.header.stack.servicebus


def test_its_entities_are_those_of_the_scenario(tmp_path: Path) -> None:
    """What the scenario says beside it wins, setting by setting; entities of its own are added."""
    bus = bus_of(scenario(tmp_path, NAMESPACE))
    orders = bus.queues["orders"]
    assert (orders.max_delivery_count, orders.lock_duration, orders.requires_session) == (7, 60.0, True)
    assert (bus.queues["notes"].forward_to, sorted(bus.queues)) == ("orders", ["notes", "orders", "own"])
    rules = bus.topics["events"].subscriptions["big"].rules
    assert rules is not None
    assert rules["large"].sql == "size > 5"  # type: ignore[union-attr]
    assert bus.topics["events"].subscriptions["all"].rules is None


def test_a_base_may_name_it(tmp_path: Path) -> None:
    """Its path is then as seen from the base."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "base.yaml").write_text("base: B\nstack: {servicebus: {config: servicebus/Config.json}}\n")
    scenario(tmp_path, NAMESPACE)
    (tmp_path / "deep/s.yaml").write_text("scenario: S\nextends: ../base.yaml\n" + SCENARIO.splitlines()[2])
    assert sorted(bus_of(load(tmp_path / "deep/s.yaml", VOCABULARY)).queues) == ["notes", "orders"]


def test_what_is_passed_over_is_told(tmp_path: Path) -> None:
    queue = {"Name": "notes", "Properties": {"Colour": "red"}}
    (told,) = scenario(tmp_path, {"Name": "n", "Queues": [queue]}, text=SCENARIO).passed_over
    assert "Colour" in told


@pytest.mark.parametrize(
    ("namespaces", "told"),
    [
        ((NAMESPACE, NAMESPACE), "exactly one namespace"),
        (({"Name": "n", "Queues": [{"Name": "notes", "Properties": {"LockDuration": "soon"}}]},), "LockDuration"),
        (({"Name": "n", "Queues": [{"Name": "orders"}]},), 'there is no queue "notes"'),
    ],
    ids=["two namespaces", "no duration", "a queue that is not in it"],
)
def test_what_is_wrong_with_it_is_told_before_anything_starts(tmp_path: Path, namespaces: Any, told: str) -> None:
    with pytest.raises(ScenarioInvalid, match=told):
        scenario(tmp_path, *namespaces)


def test_a_setting_that_cannot_be_is_shown_in_its_file(tmp_path: Path) -> None:
    long = {"Name": "n", "Queues": [{"Name": "notes", "Properties": {"LockDuration": "PT99M"}}]}
    with pytest.raises(ScenarioInvalid) as caught:
        scenario(tmp_path, long)
    (problem,) = caught.value.problems
    assert (problem.path.name, problem.source.splitlines()[problem.span.line - 1].strip()) == (
        "Config.json",
        '"Name": "notes",',
    )  # type: ignore[union-attr]


def test_entities_are_named_by_the_file_alone_when_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ScenarioInvalid, match="no such file or folder"):
        scenario(tmp_path, NAMESPACE, text=SCENARIO.replace("Config.json", "Confg.json"))
