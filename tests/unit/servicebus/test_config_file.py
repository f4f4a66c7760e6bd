"""Configuration files: the official one and Peeklock's own are told apart by their shape; errors say where and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peeklock.servicebus import Identity, Queue, RoleAssignment, Subscription, Topic, TopologyError
from peeklock.servicebus.config import load_namespaces

YAML = """
# two namespaces
namespaces:
  orders:
    port: 5672
    queues:
      jobs: {max_delivery_count: 3, lock_duration: 5}
    topics:
      events:
        subscriptions:
          audit: {rules: {all: true}}
  identity:
    identity:
      roles: [{principal: app, role: Sender, scope: q}]
    queues: {q: {}}
    access_rules: [{name: root, key: secret, rights: [Manage, Send, Listen]}]
"""


def written(tmp_path: Path, text: str, name: str = "config") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_many_namespaces_in_yaml(tmp_path: Path) -> None:
    """Everything that the control API's topology has, by the name of a namespace."""
    found = load_namespaces(written(tmp_path, YAML, "bus.yaml"), port=0)
    assert list(found) == ["orders", "identity"]
    orders = found["orders"]
    assert orders.port == 5672
    assert orders.queues == {"jobs": Queue(max_delivery_count=3, lock_duration=5.0)}
    assert isinstance(orders.topics["events"], Topic)
    assert isinstance(orders.topics["events"].subscriptions["audit"], Subscription)
    assert found["identity"].identity == Identity((RoleAssignment("app", "Sender", "q"),))
    assert [rule.name for rule in found["identity"].access_rules] == ["root"]


def test_the_same_in_json_with_comments(tmp_path: Path) -> None:
    """The first namespace has the port of the command line unless it names one; the others get a free one."""
    text = '// mine\n{"namespaces": {"a": {"queues": {"q": {}}}, "b": null, "c": {"port": 7000}}}'
    found = load_namespaces(written(tmp_path, text), port=5672)
    assert {name: topology.port for name, topology in found.items()} == {"a": 5672, "b": 0, "c": 7000}


@pytest.mark.parametrize("text", ['{"queues": {"q": {}}}', "queues:\n  q: {}\n"])
def test_one_namespace_needs_no_name(tmp_path: Path, text: str) -> None:
    """A topology by itself is the default namespace."""
    assert list(load_namespaces(written(tmp_path, text), port=1)["sbemulatorns"].queues) == ["q"]


def test_the_official_file_is_known_by_its_shape(tmp_path: Path) -> None:
    """UserConfig: whatever the file is called, and even in YAML; its namespace has the name that it says."""
    document = {
        "UserConfig": {"Namespaces": [{"Name": "mine", "Queues": [{"Name": "q"}]}], "Logging": {"Type": "File"}}
    }
    found = load_namespaces(written(tmp_path, json.dumps(document), "x.yaml"), port=9)
    assert (list(found), found["mine"].port, found["mine"].queues["q"].max_delivery_count) == (["mine"], 9, 3)


def test_inline_json() -> None:
    """What starts like JSON is no path."""
    assert list(load_namespaces(' {"queues": {"inline": {}}}', port=0)["sbemulatorns"].queues) == ["inline"]


@pytest.mark.parametrize("count", [1_000])
def test_there_may_be_as_many_entities_as_wanted(count: int) -> None:
    """No limit of 50."""
    body = {"namespaces": {f"n{n}": {"queues": {f"q{i}": {} for i in range(count // 10)}} for n in range(10)}}
    found = load_namespaces(json.dumps(body), port=0)
    assert sum(len(topology.queues) for topology in found.values()) == count


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("namespaces: {}", ["namespaces", "expected: an object with a namespace by its name", "actual: {}"]),
        ("namespaces: [a]", ["namespaces", "actual: ['a']"]),
        ('{"namespaces": {"a": {}}, "queues": {}}', ["nothing beside 'namespaces'", "'queues'"]),
        ("namespaces:\n  a: {queues: {q: {lock_duration: soon}}}", ["namespaces.a: queues.q.lock_duration", "'soon'"]),
        ("namespaces:\n  a: {queue: {}}", ["namespaces.a", "'queue' is not a known setting", "known: queues"]),
        ("namespaces:\n  a: {port: 7}\n  b: {port: 7}", ["namespaces.b.port", "a port of its own", "as namespaces.a"]),
        ("namespaces:\n  a: [\n", ["config:3:", "neither JSON nor YAML"]),
        ("{", ["config:1:2: is not JSON"]),
        ("[]", ["$", "expected: an object", "actual: list"]),
        ("just text", ["expected: an object", "actual: str"]),
    ],
)
def test_errors_say_where_what_and_how(tmp_path: Path, text: str, words: list[str]) -> None:
    """The file, the path inside it, what was expected, what was found, and a fix."""
    path = written(tmp_path, text)
    with pytest.raises(TopologyError) as caught:
        load_namespaces(path, port=0)
    said = str(caught.value)
    assert said.startswith(path)
    assert "fix:" in said
    for word in words:
        assert word in said


def test_years_and_months_are_durations(tmp_path: Path) -> None:
    """What the official schema's pattern takes: P1Y2M3D and so on."""
    properties: dict[str, Any] = {"DefaultMessageTimeToLive": "P1Y1MT1S"}
    document = {"UserConfig": {"Namespaces": [{"Queues": [{"Name": "q", "Properties": properties}]}]}}
    (topology,) = load_namespaces(json.dumps(document), port=0).values()
    assert topology.queues["q"].default_time_to_live == 395 * 86_400 + 1
