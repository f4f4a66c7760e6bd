"""The official emulator's Config.json, and the control API's topology: read, or refused with where, what and how to fix."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from peeklock.servicebus import AccessRule, Queue, Subscription, Topic, Topology, TopologyError
from peeklock.servicebus.config import parse_config, read_config
from peeklock.servicebus.entity_settings import SETTINGS, settings_of
from peeklock.servicebus.gateway.admin.entities import SEQUENCES

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
        ([*NAMESPACE, "Queues", 0, "Name"], "a b", ["'a b'", "not allowed"]),
        ([*PROPERTIES, "LockDuration"], "PT14D", ['write "P14D"']),
        ([*PROPERTIES, "LockDuration"], "PT2W", ['write "P14D"']),
        ([*PROPERTIES, "LockDuration"], "P" + "9" * 400 + "D", ["lock_duration is inf, expected at most"]),
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
        ({"port": 65536}, "port is 65536, expected 0 to 65535"),
        ({"port": -1}, "port is -1"),
        (
            {"queues": {"q": {"lock_duration": float("nan")}}},
            "queues.q.lock_duration: expected a number up to 922337203685, got nan",
        ),
        ({"queues": {"q": {"default_time_to_live": 1e300}}}, "default_time_to_live: expected a number up to"),
        ({"queues": {"q": {"lock_duration": 10**400}}}, "lock_duration: expected a number up to"),
        ({"queues": {"q": {"max_delivery_count": 10**30}}}, "expected at most 2.14748e+09"),
        (
            {"topics": {"t": {"subscriptions": {f"s{n}": {} for n in range(2_001)}}}},
            "2001 subscriptions, expected 2000",
        ),
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


@pytest.mark.parametrize("name", ["acme.orders~order-placed", "a/b~c", "UPPER.Case", "x"])
def test_a_tilde_may_stand_in_the_names_of_queues_and_topics(name):
    """As the service takes them, whose clients with SAS make such names (Azure/azure-service-bus-emulator-installer#134)."""
    assert set(Topology(queues={name: Queue()}).queues) == {name}
    assert set(Topology(topics={name: Topic()}).topics) == {name}


@pytest.mark.parametrize("name", ["_acme", "acme_", "~a", "a b", "ä", ""])
def test_other_names_are_refused(name):
    """Letters and digits are those of ASCII, and stand at both ends."""
    with pytest.raises(TopologyError, match="the name is not allowed"):
        Topology(queues={name: Queue()})


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (["UserConfig", "LoggingConfig"], {"Type": "File"}, "UserConfig.LoggingConfig is not known"),
        ([*PROPERTIES, "MaxSizeInMegabytes"], 1024, "Queues[0].Properties.MaxSizeInMegabytes is not known"),
        (
            [*NAMESPACE, "Topics"],
            [{"Name": "t", "Properties": {"Status": 1}}],
            "Topics[0].Properties.Status is not known",
        ),
        (
            [*NAMESPACE, "Topics"],
            [{"Name": "t", "Subscriptions": [{"Name": "s", "LockDuration": "PT5S"}]}],
            "Subscriptions[0].LockDuration is not known, and is passed over; known: Name, Properties, Rules",
        ),
    ],
)
def test_what_the_official_emulator_passes_over_is_told(path, value, told):
    """Unknown properties, wherever they stand: the rest of the file holds."""
    heard = []
    assert set(parse_config(change(path, value), "my.json", warn=heard.append).queues) == {"q"}
    (sentence,) = heard
    assert sentence.startswith("my.json: ")
    assert told in sentence


def test_a_comma_behind_the_last_item_is_told():
    """With its place; commas inside of strings and comments are none of those."""
    text = '{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "q"},\n /* , */ ],\n }], "Logging": {"a,}": 1 , }}}'
    heard = []
    assert set(parse_config(text, "c.json", warn=heard.append).queues) == {"q"}
    assert [sentence.partition(": ")[0] for sentence in heard] == ["c.json:1:57", "c.json:2:11", "c.json:3:27"]


def test_null_is_as_good_as_nothing():
    """Lists and properties may be null."""
    queue = {"Name": "q", "Properties": {"LockDuration": None, "RequiresDuplicateDetection": True}}
    topic = {"Name": "t", "Properties": None, "Subscriptions": [{"Name": "s", "Rules": None}, {"Name": "u"}]}
    namespace = {"Name": "n", "Queues": [queue], "Topics": [topic, {"Name": "v", "Subscriptions": None}]}
    read = parse_config(json.dumps({"UserConfig": {"Namespaces": [namespace]}}))
    assert read.queues == {"q": Queue(3, 60.0, 20.0, 3600.0)}  # a window of 20 s unless the file says another one
    assert {name: set(topic.subscriptions) for name, topic in read.topics.items()} == {"t": {"s", "u"}, "v": set()}
    bare = {"UserConfig": {"Namespaces": [{"Name": "n", "Queues": None, "Topics": None}]}}
    assert parse_config(json.dumps(bare)).queues == {}


def test_every_setting_is_one_of_an_entity():
    """The table of settings has those that entities have, with their defaults, and no others."""
    kinds = (Queue, Topic, Subscription)
    assert {setting.name for kind in kinds for setting in settings_of(kind)} == set(SETTINGS)
    for kind in kinds:
        assert {item.name for item in fields(kind)} - {"subscriptions", "rules"} <= set(SETTINGS)
        for setting in settings_of(kind):
            assert getattr(kind(), setting.name) == setting.default
            assert setting.official in SEQUENCES[f"{kind.__name__}Description"]


def test_a_duration_without_end_is_as_long_as_can_be():
    """Exports of Azure say P10675199DT2H48M5.4775807S where nobody chose one."""
    text = CONFIG.replace('"PT1H"', '"P10675199DT2H48M5.4775807S"')
    assert parse_config(text).queues["queue.1"].default_time_to_live == 922_337_203_685
