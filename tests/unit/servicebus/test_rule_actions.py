"""Actions of rules: what they change, and what they refuse."""

from __future__ import annotations

import uuid

import pytest

from peeklock.servicebus import OutgoingMessage
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp.types import Timestamp
from peeklock.servicebus.broker.rules import Facts, FilterException, Rule, RuleInvalid
from peeklock.servicebus.broker.rules.actions import SqlAction


def message(**properties):
    return Envelope(
        OutgoingMessage(
            b"body", message_id="m", subject="Old", session_id="s", application_properties=properties
        ).encode()
    )


def done(expression, **properties):
    return SqlAction(expression).apply(Facts(message(**properties), 1, 0.0))


@pytest.mark.parametrize(
    ("expression", "before", "after"),
    [
        ("SET color = 'blue'", {"color": "red"}, {"color": "blue"}),
        ("SET COLOR = 'blue'", {"color": "red"}, {"color": "blue"}),
        ("SET user.[my prop] = 1", {}, {"my prop": 1}),
        ("SET a = a + 1; SET b = a * 2", {"a": 1}, {"a": 2, "b": 4}),
        ("set a = 1 set b = 2;", {}, {"a": 1, "b": 2}),
        ("REMOVE color", {"Color": "red", "k": 1}, {"k": 1}),
        ("REMOVE missing", {"k": 1}, {"k": 1}),
        ("SET x = missing", {}, {"x": None}),
        ("SET n = '8'", {"n": 7}, {"n": 8}),
        ("SET n = 'eight'", {"n": 7}, {"n": "eight"}),
        ("SET s = 8", {"s": "x"}, {"s": "8"}),
        ("SET d = 8.5", {}, {"d": 8.5}),
        ("SET t = TRUE", {}, {"t": True}),
        ("SET label = sys.Label", {}, {"label": "Old"}),
        ("SET x = 1; REMOVE x", {}, {}),
    ],
)
def test_user_properties(expression, before, after):
    """S-72: SET and REMOVE on user properties, in order; the kind of an existing property is kept where it can be."""
    content = done(expression, **before)
    assert content.application_properties() == after
    assert content.body() == ("data", [b"body"])


def test_system_properties():
    """S-72: sys. properties that a sender may set; later statements see them."""
    content = done(
        "SET sys.Label = 'New'; SET sys.To = sys.Label + '!'; SET sys.MessageId = 'm2'; SET sys.CorrelationId = 7;"
        "SET sys.ContentType = 'text/plain'; SET sys.SessionId = 's2'; SET sys.PartitionKey = 's2'; SET sys.TimeToLive = 5"
    )
    fields = content.properties()
    assert (fields["subject"], fields["to"], fields["correlation_id"]) == ("New", "New!", "7")
    assert (fields["content_type"], content.session_id, content.message_id) == ("text/plain", "s2", "m2")
    assert content.annotations() == {"x-opt-partition-key": "s2"}
    assert content.ttl == 5
    assert Envelope(content.wire(1, 0.0, 0, 0)).ttl == 5


def test_the_scheduled_time_is_left_alone():
    """S-72: ScheduledEnqueueTimeUtc set by an action is ignored."""
    assert done("SET sys.ScheduledEnqueueTimeUtc = 99").scheduled_at is None


def test_values_keep_their_types():
    """S-36, S-72: what is not touched keeps its AMQP type; newid() is a guid."""
    content = done("SET id = newid(); SET other = at", at=Timestamp(5))
    found = content.typed_application_properties()
    assert isinstance(found["id"], uuid.UUID)
    assert isinstance(found["at"], Timestamp)
    assert isinstance(found["other"], Timestamp)


def test_the_original_is_not_changed():
    """S-69: every matching rule with an action works on a copy of its own."""
    original = message(color="red")
    before = original.wire(1, 0.0, 0, 0)
    SqlAction("SET color = 'blue'; SET sys.Label = 'New'; SET sys.TimeToLive = 9").apply(Facts(original))
    assert original.wire(1, 0.0, 0, 0) == before


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "is empty"),
        ("color = 'red'", "line 1, column 1: found 'color', expected REMOVE, SET"),
        ("SET color 'red'", "column 11"),
        ("SET a = b = 1", "found '='"),
        ("SET sys.SequenceNumber = 1", "'sys.SequenceNumber' cannot be set"),
        ("REMOVE sys.Label", "'sys.Label' cannot be removed"),
        (";".join(["SET a = 1"] * 33), "33 statements; 32 are allowed"),
        ("SET a = '" + "x" * 1024 + "'", "1024 are allowed"),
    ],
)
def test_wrong_actions_are_refused(expression, words):
    """S-72, S-73: at most 32 statements and 1,024 characters; what cannot be changed is refused when the rule is made."""
    with pytest.raises(RuleInvalid, match=words):
        SqlAction(expression)


@pytest.mark.parametrize(
    "expression",
    ["SET sys.Nope = 1", "SET a = sys.Nope", "SET a = 1 / 0", "SET sys.TimeToLive = 'x'", "SET sys.MessageId = NULL"],
)
def test_what_cannot_be_done_is_a_filter_exception(expression):
    """S-71, S-72: an action that references a system property which does not exist fails."""
    with pytest.raises(FilterException):
        done(expression)


def test_the_copy_tells_its_rule():
    """S-69: property RuleName."""
    rule = Rule("mine", None, SqlAction("SET a = 1"))
    assert rule.changed(Facts(message())).application_properties() == {"a": 1, "RuleName": "mine"}


@pytest.mark.parametrize("name", ["", "a/b", "x" * 51])
def test_rule_names(name):
    """S-87: at most 50 characters."""
    with pytest.raises(RuleInvalid):
        Rule(name)
