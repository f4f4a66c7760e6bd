"""Topics, subscriptions and rules in the official Config.json and in the control API's topology."""

from __future__ import annotations

import json

import pytest

from peeklock.servicebus import Queue, Rule, Subscription, Topic, Topology, TopologyError
from peeklock.servicebus.broker.rules.building import build_all
from peeklock.servicebus.config import parse_config

CONFIG = """
{ "UserConfig": { "Namespaces": [ { "Name": "sbemulatorns",
    "Queues": [ { "Name": "queue.1", "Properties": { "ForwardDeadLetteredMessagesTo": "topic.1" } } ],
    "Topics": [ {
      "Name": "topic.1",
      "Properties": { "DefaultMessageTimeToLive": "PT1H", "DuplicateDetectionHistoryTimeWindow": "PT20S",
                      "RequiresDuplicateDetection": false },
      "Subscriptions": [
        { "Name": "subscription.1",
          "Properties": { "DeadLetteringOnMessageExpiration": false, "DefaultMessageTimeToLive": "PT1H",
                          "LockDuration": "PT1M", "MaxDeliveryCount": 4, "ForwardDeadLetteredMessagesTo": "",
                          "ForwardTo": "", "RequiresSession": false },
          "Rules": [
            { "Name": "app-prop-filter-1",
              "Properties": { "FilterType": "Correlation",
                "CorrelationFilter": { "ContentType": "application/text", "CorrelationId": "id1", "Label": "subject1",
                  "MessageId": "msgid1", "ReplyTo": "someQueue", "ReplyToSessionId": "sessionId",
                  "SessionId": "session1", "To": "xyz", "Properties": { "prop1": "value1" } } } } ] },
        { "Name": "subscription.2",
          "Rules": [ { "Name": "sql",
              "Properties": { "FilterType": "Sql", "SqlFilter": { "SqlExpression": "sys.MessageId = 'x' AND a = 'b'" },
                              "Action": { "SqlExpression": "SET sys.To = 'Entity'" } } } ] },
        { "Name": "subscription.3" } ] } ] } ],
  "Logging": { "Type": "File" } } }
"""


def test_the_official_sample_is_read():
    """Part C: subscriptions with their defaults, correlation and SQL rules, actions, and $Default where no rule is given."""
    topology = parse_config(CONFIG)
    topic = topology.topics["topic.1"]
    assert (topic.default_time_to_live, topic.duplicate_detection_window) == (3600.0, None)
    one, two, three = topic.subscriptions.values()
    correlation = {
        "content_type": "application/text", "correlation_id": "id1", "subject": "subject1", "message_id": "msgid1",
        "reply_to": "someQueue", "reply_to_session_id": "sessionId", "session_id": "session1", "to": "xyz",
        "properties": {"prop1": "value1"},
    }  # fmt: skip
    assert one == Subscription(4, 60.0, 3600.0, rules={"app-prop-filter-1": Rule(correlation=correlation)})
    assert two.rules == {"sql": Rule(sql="sys.MessageId = 'x' AND a = 'b'", action="SET sys.To = 'Entity'")}
    assert (three.rules, three.max_delivery_count) == (None, 3)
    assert [rule.name for rule in build_all(three)] == ["$Default"]
    assert topology.queues["queue.1"].forward_dead_lettered_messages_to == "topic.1"


RULES = ["Subscriptions", 0, "Rules"]
RULE = [*RULES, 0, "Properties"]


@pytest.mark.parametrize(
    ("path", "value", "parts"),
    [
        (["Subscriptions"], {}, ["Topics[0].Subscriptions", "expected: a list"]),
        (["Subscriptions", 0, "Name"], "", ["Subscriptions[0].Name", "subscription's name"]),
        (["Subscriptions", 1, "Name"], "Subscription.1", ["Subscriptions[1].Name", "a name of its own"]),
        (["Subscriptions", 0, "Properties", "ForwardTo"], "no", ["topic.1/Subscriptions/subscription.1", "'no'"]),
        (["Subscriptions", 0, "Name"], "x" * 51, ["not allowed", "50 for a subscription"]),
        ([*RULE, "FilterType"], "True", ["FilterType", "'Correlation' or 'Sql'", "'True'"]),
        ([*RULE, "CorrelationFilter"], None, ["CorrelationFilter", "an object", "nothing"]),
        ([*RULE, "CorrelationFilter"], {}, ["CorrelationFilter", "at least one property"]),
        ([*RULE, "CorrelationFilter"], {"Label": 5}, ["CorrelationFilter.Label", "text", "5"]),
        (["Subscriptions", 1, "Rules", 0, "Properties", "SqlFilter"], {}, ["SqlFilter.SqlExpression", "text"]),
        (
            ["Subscriptions", 1, "Rules", 0, "Properties", "SqlFilter", "SqlExpression"],
            "a = ",
            ["my.json", "subscription.2", "rule 'sql'", "line 1, column 5", "fix:"],
        ),
        (
            ["Subscriptions", 1, "Rules", 0, "Properties", "Action", "SqlExpression"],
            "a = 1",
            ["rule 'sql'", "expected REMOVE, SET"],
        ),
    ],
)
def test_bad_topics_say_where_what_and_how(path, value, parts):
    """Errors name the file, the path in it, what was expected, what was found and how to fix it."""
    document = json.loads(CONFIG)
    node = document["UserConfig"]["Namespaces"][0]["Topics"][0]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(TopologyError) as caught:
        parse_config(json.dumps(document), "my.json")
    for part in ["my.json", *parts]:
        assert part in str(caught.value)


def test_the_control_api_form():
    """The control API's topics: rules as true, false, {"sql"}, {"correlation"}, each with an action if wanted."""
    topology = Topology.from_json(
        {
            "queues": {"q": {"forward_to": "t", "status": "SendDisabled"}},
            "topics": {
                "t": {
                    "duplicate_detection_window": 60,
                    "subscriptions": {
                        "s": {
                            "lock_duration": 5,
                            "rules": {
                                "all": True,
                                "none": False,
                                "sql": {"sql": "a = @x", "action": "SET b = 1", "parameters": {"@x": 5}},
                                "same": {"correlation": {"subject": "x", "properties": {"n": 1}}},
                            },
                        },
                        "plain": {},
                    },
                }
            },
            "access_rules": [{"name": "r", "key": "k", "rights": ["Listen"], "entity": "T/subscriptions/S"}],
        }
    )
    assert topology.queues == {"q": Queue(forward_to="t", status="SendDisabled")}
    rules = {
        "all": Rule(matches=True),
        "none": Rule(matches=False),
        "sql": Rule(sql="a = @x", action="SET b = 1", parameters={"@x": 5}),
        "same": Rule(correlation={"subject": "x", "properties": {"n": 1}}),
    }
    expected = Topic({"s": Subscription(lock_duration=5.0, rules=rules), "plain": Subscription()}, 60.0)
    assert topology.topics == {"t": expected}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"r": {}}, "rule 'r': has no filter"),
        ({"r": {"sql": "1=1", "correlation": {"to": "x"}}}, "has sql and correlation"),
        ({"r": {"sql": "a ="}}, "rule 'r': The SQL filter expression is not valid at line 1, column 4"),
        ({"r": {"sql": 5}}, "topics.t.subscriptions.s.rules.r.sql: expected str"),
        ({"r": {"expression": "x"}}, "'expression' is not a known setting"),
        ({"r": {"correlation": {"to": 5}}}, "rules.r.correlation.to: expected text, got 5"),
        ({"r": {"correlation": {"too": "x"}}}, "has no field"),
        ({"r": {"correlation": []}}, "correlation: expected an object"),
        ({"r": {"correlation": {"properties": 5}}}, "properties: expected an object"),
        ({"r": True, "R": True}, "two rules have one name"),
        ({"a/b": True}, "is not allowed"),
        ([], "rules: expected an object"),
    ],
)
def test_bad_rules_are_refused(rules, words):
    """The control API's rules are checked with the path of what is wrong."""
    with pytest.raises(TopologyError) as caught:
        Topology.from_json({"topics": {"t": {"subscriptions": {"s": {"rules": rules}}}}})
    assert words in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"topics": {"-t": {}}}, "topic '-t': the name is not allowed"),
        ({"queues": {"x": {}}, "topics": {"X": {}}}, "there twice"),
        ({"topics": {"t": {"subscriptions": {"s": {}, "S": {}}}}}, "there twice"),
        ({"topics": {"t": {"subscriptions": {"s": {"max_delivery_count": 0}}}}}, "max_delivery_count is 0"),
        (
            {"topics": {"t": {"subscriptions": {"a/b": {}}}}},
            "subscription 't/Subscriptions/a/b': the name is not allowed",
        ),
        ({"topics": {"t": {"lock_duration": 5}}}, "'lock_duration' is not a known setting"),
        ({"topics": {"t": {"subscriptions": {"s": {"max_size_in_megabytes": 5}}}}}, "is not a known setting"),
        ({"topics": {"t": {"status": "Off"}}}, "status is 'Off'"),
        ({"topics": {"t": {"subscriptions": []}}}, "topics.t.subscriptions: expected an object"),
    ],
)
def test_bad_topics_are_refused(body, words):
    """S-87, S-77: names, statuses and settings that cannot be."""
    with pytest.raises(TopologyError) as caught:
        Topology.from_json(body)
    assert words in str(caught.value)
