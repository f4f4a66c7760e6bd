"""Filters of rules: what matches, what does not, what is unknown, and what is refused with which words."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from peeklock.servicebus import OutgoingMessage
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.amqp.types import Int
from peeklock.servicebus.broker.rules import (
    CorrelationFilter,
    Facts,
    FalseFilter,
    FilterException,
    RuleInvalid,
    SqlFilter,
    TrueFilter,
)

MESSAGE = OutgoingMessage(
    b"x",
    message_id="m-1",
    correlation_id="high",
    session_id="s1",
    subject="Important",
    content_type="application/json",
    reply_to="answers",
    to="dest",
    time_to_live=30,
    application_properties={
        "Color": "red",
        "quantity": 7,
        "small": Int(7),
        "price": 2.5,
        "on": True,
        "none": None,
        "my prop": "spaced",
        "a]b": "bracket",
        "quote": "it's",
        "percent": "50%",
        "text7": "7",
    },
    annotations={"x-opt-partition-key": "s1"},
)


@pytest.fixture
def facts():
    return Facts(Envelope(MESSAGE.encode()), 12, 1000.0)


TRUE = (
    """
1=1
color = 'red'
COLOR = 'red'
user.color = 'red'
[color] = 'red' AND "color" = 'red'
[my prop] = 'spaced'
[a]]b] = 'bracket'
"a]b" = 'bracket'
quote = 'it''s'
color <> 'Red'
color != 'blue'
color < 'ree'
quantity > 6 AND quantity >= 7 AND quantity <= 7 AND quantity < 8
small = quantity
quantity = 7.0
price = 2.5
price * 2 = 5
price = 25e-1
quantity / 2 = 3
-quantity / 2 = -3
quantity / 2.0 = 3.5
quantity % 4 = 3
-quantity % 4 = -3
2 + 3 * 4 = 14
(2 + 3) * 4 = 20
10 - 3 - 2 = 5
+quantity = - -7
-9223372036854775808 < 0
color + '-' + quantity = 'red-7'
on = TRUE
on
NOT on = false
not (color = 'blue')
NOT NOT on
color = 'blue' OR color = 'red'
color = 'blue' OR color = 'red' AND quantity = 7
NOT color = 'blue' AND quantity = 7
color IN ('blue', 'red')
color NOT IN ('blue', 'green')
quantity in (1, 7)
quantity IN (1, price, 7.0)
color LIKE 'r%'
color LIKE '_e_'
color LIKE '%'
color LIKE 'red'
color NOT LIKE 'R%'
percent LIKE '50!%' ESCAPE '!'
percent LIKE '50\\%' ESCAPE '\\'
percent NOT LIKE '5!%' ESCAPE '!'
EXISTS(color)
EXISTS(user.color)
exists(none)
NOT EXISTS(missing)
missing IS NULL
none IS NULL
color IS NOT NULL
sys.Label = 'Important'
sys.Subject = 'Important'
SYS.label = 'Important'
sys.CorrelationId = 'high' and sys.MessageId = 'm-1' and sys.To = 'dest' and sys.ReplyTo = 'answers'
sys.ContentType = 'application/json' and sys.SessionId = 's1' and sys.PartitionKey = 's1'
sys.ReplyToSessionId IS NULL
EXISTS(sys.Label)
NOT EXISTS(sys.ReplyToSessionId)
sys.SequenceNumber = 12 and sys.TimeToLive = 30
property('color') = 'red'
p('user.color') = 'red'
p('sys.' + 'Label') = 'Important'
newid() IS NOT NULL
newid() <> newid()
color = 'red'
  and quantity = 7
color = @wanted
text7 <> 7
""".strip()
    .replace("\n  ", " ")
    .splitlines()
)


@pytest.mark.parametrize("expression", TRUE)
def test_true(facts, expression):
    """S-71: operators, precedence, scopes, quoting, names without case, int64 and double, as C# calculates."""
    assert SqlFilter(expression, {"@wanted": "red"}).matches(facts) is True


FALSE_OR_UNKNOWN = """
1=0
color = 'Red'
color = 'blue' OR color = 'green'
color = 'red' AND quantity = 8
missing = 'x'
missing <> 'x'
NOT missing = 'x'
NOT (missing = 'x' AND color = 'red')
missing = 'x' AND color = 'red'
missing = missing
missing > 1
missing + 1 = 1
-missing = 1
none = NULL
color = NULL
NULL = NULL
missing LIKE '%'
missing NOT LIKE 'a'
color LIKE missing
missing IN ('a')
missing NOT IN ('a')
color NOT IN ('blue', missing)
color IN ('blue', missing)
color LIKE 'R%'
color LIKE ''
color LIKE 're'
property('missing') = 1
property(missing) = 1
quantity = '7'
text7 = 7
on = 1
missing
EXISTS(missing)
color IS NULL
FALSE
""".strip().splitlines()


@pytest.mark.parametrize("expression", FALSE_OR_UNKNOWN)
def test_false_and_unknown_do_not_match(facts, expression):
    """S-71: a missing user property is unknown, and unknown is no match, negated or not."""
    assert SqlFilter(expression).matches(facts) is False


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(missing = 1 OR TRUE)", True),
        ("(missing = 1 AND FALSE) OR TRUE", True),
        ("NOT (missing = 1 AND FALSE)", True),
        ("NOT (missing = 1 OR FALSE)", False),
        ("NOT (missing = 1 OR TRUE)", False),
        ("NOT (missing = 1 AND TRUE)", False),
    ],
)
def test_three_valued_logic(facts, expression, expected):
    """S-71: unknown OR true is true, unknown AND false is false, everything else with unknown is unknown."""
    assert SqlFilter(expression).matches(facts) is expected


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("sys.Nope = 1", "'sys.nope' does not exist"),
        ("EXISTS(sys.Nope)", "does not exist"),
        ("property('sys.Nope') = 1", "does not exist"),
        ("quantity / 0 = 1", "divide by zero"),
        ("quantity % 0 = 1", "divide by zero"),
        ("color > 1", "'>' cannot be applied to a string and an integer"),
        ("color - 1 = 1", "'-' cannot be applied"),
        ("-color = 1", "'-' cannot be applied"),
        ("9223372036854775807 + quantity = 1", "overflow"),
        ("quantity LIKE '7'", "LIKE compares strings"),
        ("color LIKE 'r!' ESCAPE '!'", "ends with its escape character"),
        ("color LIKE 'r' ESCAPE '!!'", "one character"),
        ("color", "A condition is a boolean"),
        ("property(7) = 1", "takes a name"),
    ],
)
def test_what_cannot_be_evaluated_is_a_filter_exception(facts, expression, words):
    """S-71: an unknown system property, and operators on what they cannot be applied to."""
    with pytest.raises(FilterException, match=words.replace("(", r"\(")):
        SqlFilter(expression).matches(facts)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "is empty"),
        ("color = ", "line 1, column 9: found the end, expected"),
        ("color = 'red", "line 1, column 9.*close the quote"),
        ("color = 'red'\nAND", "line 2, column 4: found the end"),
        ("color == 'red'", "column 8: found '='"),
        ("a && b", "column 3: found '&'.*write AND or OR"),
        ("(color = 'red'", r"found the end, expected .*\)"),
        ("color = 'red')", r"found '\)'"),
        ("and = 1", r"'and' is a keyword.*write \[and\]"),
        ("order.id = 1", r"'order' is not a scope.*\[a.b\]"),
        ("upper(color) = 'RED'", r"no function upper\(\) with 1 arguments.*newid"),
        ("newid(1) IS NULL", "no function newid"),
        ("color = @other", "@other has no value"),
        ("1", "a condition is needed here"),
        ("color = (1 = 1)", "a value is needed here"),
        ("quantity = 99999999999999999999", "does not fit into 64 bits"),
        ("color IN ()", r"column 11: found '\)'"),
        ("color IS 'red'", "expected NOT, NULL"),
        ("x = '" + "y" * 1024 + "'", "has 1030 characters; 1024 are allowed"),
        ("(" * 101 + "1=0" + ")" * 101, "nests 101 deep"),
    ],
)
def test_wrong_expressions_are_refused_with_place_and_remedy(expression, words):
    """S-71, S-73: line, column, what was expected, and a fix; at most 1,024 characters."""
    with pytest.raises(RuleInvalid, match=f"(?s){words}") as caught:
        SqlFilter(expression)
    assert "Fix: " in caught.value.description
    assert caught.value.condition == "com.microsoft:argument-error"


@pytest.mark.parametrize(
    "expression",
    ["-" * 1020 + "1=1", "NOT " * 250 + "1=0", "+".join(["1"] * 500) + "=500", " OR ".join(["1=0"] * 140) + " OR 1=1",
     "(" * 100 + "1 = 1" + ")" * 100],
)  # fmt: skip
def test_long_expressions_do_not_exhaust_the_stack(facts, expression):
    """S-73: whatever fits into 1,024 characters can be evaluated."""
    assert isinstance(SqlFilter(expression).matches(facts), bool)


def test_like_takes_no_exponential_time(facts):
    """S-71: a hostile pattern costs the product of the lengths."""
    content = Envelope(OutgoingMessage(application_properties={"a": "a" * 5000}).encode())
    start = time.process_time()
    assert SqlFilter("a LIKE '" + "%a" * 100 + "%b'").matches(Facts(content)) is False
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("system", "properties", "expected"),
    [
        ({"correlation_id": "high"}, {}, True),
        ({"correlation_id": "High"}, {}, False),
        ({"subject": "Important", "to": "dest", "reply_to": "answers", "message_id": "m-1"}, {}, True),
        ({"session_id": "s1", "content_type": "application/json", "reply_to_session_id": None}, {}, True),
        ({"reply_to_session_id": "x"}, {}, False),
        ({"subject": "Important"}, {"color": "red"}, True),
        ({"subject": "Other"}, {"color": "red"}, False),
        ({}, {"COLOR": "red", "quantity": 7}, True),
        ({}, {"color": "RED"}, False),
        ({}, {"quantity": "7"}, False),
        ({}, {"text7": 7}, False),
        ({}, {"on": True}, True),
        ({}, {"on": 1}, False),
        ({}, {"price": 2.5}, True),
        ({}, {"none": None}, False),
        ({}, {"missing": "x"}, False),
    ],
)
def test_correlation_filter(facts, system, properties, expected):
    """S-70: all that is set must be equal, with case and type; what is not set does not matter."""
    assert CorrelationFilter(system, properties).matches(facts) is expected


def test_correlation_filter_needs_a_condition_that_exists():
    """S-70: an empty filter and an unknown field are refused."""
    with pytest.raises(RuleInvalid, match="has no condition"):
        CorrelationFilter({"subject": None})
    with pytest.raises(RuleInvalid, match="no field 'colour'"):
        CorrelationFilter({"colour": "red"})


def test_true_and_false_filter(facts):
    """S-69: they ask nothing of the message."""
    assert TrueFilter().matches(facts) is True
    assert FalseFilter().matches(facts) is False


def test_the_parser_is_loaded_with_the_first_sql_rule_only():
    """A namespace without SQL rules does not pay for the parser; `1=1`, which SDKs write for "all", needs none."""
    code = (
        "import sys; from peeklock.servicebus.broker.rules import SqlFilter; SqlFilter('1=1');"
        "assert 'lark' not in sys.modules; SqlFilter('a=1'); assert 'lark' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
