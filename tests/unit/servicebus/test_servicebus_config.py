"""The official emulator's Config.json, and the control API's topology: read, or refused with where, what and how to fix."""

from __future__ import annotations

import json

import pytest

from peeklock.servicebus import AccessRule, Queue, Topology, TopologyError
from peeklock.servicebus.config import parse_config, read_config

CONFIG = """
{ // the official sample, shortened
  "UserConfig": {
    "Namespaces": [ { "Name": "sbemulatorns",
      "Queues": [ {
        "Name": "queue.1", /* a comment */
        "Properties": {
          "DeadLetteringOnMessageExpiration": false,
          "DefaultMessageTimeToLive": "PT1H",
          "DuplicateDetectionHistoryTimeWindow": "PT20S",
          "ForwardDeadLetteredMessagesTo": "",
          "ForwardTo": "",
          "LockDuration": "P0DT1M5S",
          "MaxDeliveryCount": 4,
          "RequiresDuplicateDetection": true,
          "RequiresSession": false // http://not-a-comment-in-a-string is fine
        } }, { "Name": "bare" } ],
      "Topics": [] } ],
    "Logging": { "Type": "File" }
  }
}
"""


def test_official_config_is_read():
    """Part C: // comments, ISO durations, and the official defaults (3 deliveries, PT1M, PT1H)."""
    topology = parse_config(CONFIG)
    assert topology.queues == {
        "queue.1": Queue(4, 65.0, 20.0, 3600.0),
        "bare": Queue(3, 60.0, None, 3600.0),
    }
    assert topology.access_rules == (AccessRule("RootManageSharedAccessKey", "SAS_KEY_VALUE"),)


def change(path, value):
    """Return the config with one value replaced (or, for a queue's property, set)."""
    document = {
        "UserConfig": {"Namespaces": [{"Name": "n", "Queues": [{"Name": "q", "Properties": {}}], "Topics": []}]}
    }
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return json.dumps(document)


NAMESPACE = ["UserConfig", "Namespaces", 0]
PROPERTIES = [*NAMESPACE, "Queues", 0, "Properties"]


@pytest.mark.parametrize(
    ("path", "value", "parts"),
    [
        ([*NAMESPACE, "Topics"], {"Name": "t"}, ["Namespaces[0].Topics", "expected: a list", "fix:"]),
        ([*NAMESPACE, "Queues"], {}, ["Namespaces[0].Queues", "expected: a list", "fix:"]),
        ([*PROPERTIES, "LockDuration"], "1m", ["Queues[0].Properties.LockDuration", "ISO 8601", "'1m'", "PT1M"]),
        ([*PROPERTIES, "MaxDeliveryCount"], 0, ["MaxDeliveryCount", "from 1 on", "0"]),
        ([*PROPERTIES, "RequiresSession"], "true", ["RequiresSession", "true or false", "no quotes"]),
        ([*PROPERTIES, "ForwardTo"], "x", ["forward_to is 'x', which is no queue or topic here"]),
        ([*PROPERTIES, "ForwardTo"], 5, ["ForwardTo", "expected: text", "5"]),
        ([*PROPERTIES, "RequiresDuplicateDetection"], "yes", ["true or false", "'yes'"]),
        ([*PROPERTIES, "Surprise"], 1, ["Properties.Surprise", "known:"]),
        ([*NAMESPACE, "Queues", 0, "Name"], "a~b", ["'a~b'", "not allowed"]),
        ([*NAMESPACE, "Queues", 0, "Name"], None, ["Queues[0].Name", "queue's name"]),
        (["UserConfig", "Namespaces"], [], ["exactly one namespace"]),
        (["UserConfig"], None, ["UserConfig", "an object", "nothing"]),
    ],
)
def test_bad_config_says_where_what_and_how(path, value, parts):
    """Errors name the file, the path in it, what was expected, what was found and how to fix it."""
    with pytest.raises(TopologyError) as caught:
        parse_config(change(path, value), "my.json")
    assert "my.json" in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_sessions_can_be_asked_for_in_both_files():
    """S-60: RequiresSession of Config.json and requires_session of the control API."""
    read = parse_config(change([*PROPERTIES, "RequiresSession"], True), "my.json")
    assert [queue.requires_session for queue in read.queues.values()] == [True]
    assert Topology.from_json({"queues": {"q": {"requires_session": True}}}).queues["q"].requires_session


def test_bad_json_names_line_and_column():
    """Comments keep their place: positions in errors are those of the file."""
    with pytest.raises(TopologyError, match=r"c\.json:3:1: is not JSON"):
        parse_config('{ // one\n "a": 1 // two\n', "c.json")


def test_missing_file_is_told(tmp_path):
    """A file that is not there names itself."""
    with pytest.raises(TopologyError, match="cannot be read"):
        read_config(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "expected an object"),
        ({"queue": {}}, "'queue' is not a known setting"),
        ({"topics": []}, "topics: expected an object"),
        ({"queues": {"q": {"lock_duration": "5"}}}, "queues.q.lock_duration: expected float, got '5'"),
        ({"queues": {"q": {"max_delivery_count": True}}}, "expected int"),
        ({"queues": {"q": {"max_delivery_count": 0}}}, "max_delivery_count is 0"),
        ({"queues": {"q": {"requires_session": "yes"}}}, "requires_session: expected bool, got 'yes'"),
        ({"queues": {"q": {}, "Q": {}}}, "twice"),
        ({"queues": {"-q": {}}}, "not allowed"),
        ({"access_rules": [{"name": "r", "key": 5}]}, "the value of a key"),
        ({"access_rules": [{"name": "r", "key": "k", "rights": ["Sned"]}]}, "Sned"),
        ({"access_rules": [{"name": "r", "key": "k", "entity": "q"}]}, "no queue 'q'"),
        ({"access_rules": [{"name": "r", "key": "k", "rights": 5}]}, "access_rules[0].rights: expected a list"),
        ({"access_rules": ["r"]}, "access_rules[0]: expected an object"),
        ({"port": "x"}, "port: expected int"),
    ],
)
def test_bad_topologies_are_refused(body, words):
    """The control API's topology is checked with the path of what is wrong."""
    with pytest.raises(TopologyError) as caught:
        Topology.from_json(body)
    assert words in str(caught.value)


def test_topology_of_the_contract():
    """The control API's form: durations in float seconds, null for none, absent for Azure's default."""
    topology = Topology.from_json(
        {
            "queues": {"q": {"max_delivery_count": 3, "lock_duration": 5, "duplicate_detection_window": None}, "r": {}},
            "access_rules": [{"name": "n", "key": "k", "rights": ["Send"], "entity": "q"}],
            "port": 0,
        }
    )
    assert topology.queues == {"q": Queue(3, 5.0), "r": Queue(10, 60.0)}
    assert topology.access_rules == (AccessRule("n", "k", ("Send",), "q"),)
