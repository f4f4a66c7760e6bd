"""Rules under arbitrary input: they are refused or they work, and never anything else."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peeklock.servicebus import OutgoingMessage
from peeklock.servicebus.amqp import Envelope
from peeklock.servicebus.broker.rules import Facts, FilterException, RuleInvalid, SqlFilter, values
from peeklock.servicebus.broker.rules.actions import SqlAction

FACTS = Facts(
    Envelope(
        OutgoingMessage(
            subject="s", application_properties={"a": 1, "b": "text", "c": True, "d": 2.5, "e": None}
        ).encode()
    )
)
WORDS = st.sampled_from(
    re.split(
        " ",
        "a b c d e missing sys. user. . sys.Label sys.Nope [a] [ ] \"b\" \" ' 'x' 'it''s' 1 2.5 .5 1e3 9223372036854775808 "
        "TRUE FALSE NULL AND OR NOT IN LIKE ESCAPE EXISTS IS = <> != < > <= >= + - * / % ( ) , ; SET REMOVE newid() p( "
        "property('b') @p -- \\ \x00 é ß İ",
    )
)
EXPRESSIONS = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join))


@settings(max_examples=400, derandomize=True)
@given(EXPRESSIONS)
def test_any_text_is_a_filter_or_refused(expression):
    """S-71: RuleInvalid when it is made, a boolean or FilterException when it is asked."""
    try:
        condition = SqlFilter(expression)
    except RuleInvalid:
        return
    with suppress(FilterException):
        assert condition.matches(FACTS) in (True, False)


@settings(max_examples=400, derandomize=True)
@given(EXPRESSIONS.map(lambda text: f"SET a = {text}") | EXPRESSIONS)
def test_any_text_is_an_action_or_refused(expression):
    """S-72: what an action makes can be encoded and read again."""
    try:
        action = SqlAction(expression)
    except RuleInvalid:
        return
    try:
        changed = action.apply(FACTS)
    except FilterException:
        return
    assert Envelope(changed.wire(1, 0.0, 0, 0)).application_properties() == changed.application_properties()


OPERANDS = st.sampled_from(["a", "b", "missing", "e", "1", "2", "'text'", "d", "NULL"])
TESTS = st.builds("{} {} {}".format, OPERANDS, st.sampled_from(["=", "<>"]), OPERANDS)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.builds("({}) AND ({})".format, inner, inner),
        st.builds("({}) OR ({})".format, inner, inner),
    ),
    max_leaves=8,
)
KNOWN = {"a": 1, "b": "text", "missing": None, "e": None, "1": 1, "2": 2, "'text'": "text", "d": 2.5, "NULL": None}


def reference(expression):
    """Evaluate the three-valued way, on the text: an independent, slow interpreter."""
    if match := re.fullmatch(r"(\S+) (=|<>) (\S+)", expression):
        left, right = KNOWN[match[1]], KNOWN[match[3]]
        if left is None or right is None:
            return None
        return (left == right) is (match[2] == "=")
    if expression.startswith("NOT ("):
        inner = reference(expression[5:-1])
        return None if inner is None else not inner
    depth = index = 0
    while index == 0 or depth:
        depth += (expression[index] == "(") - (expression[index] == ")")
        index += 1
    index -= 1
    left, rest = reference(expression[1:index]), expression[index + 2 :]
    operator, _, right = rest.partition(" ")
    pair = {left, reference(right[1:-1])}
    decisive = operator == "OR"
    return decisive if decisive in pair else None if None in pair else not decisive


@settings(max_examples=300, derandomize=True)
@given(CONDITIONS)
def test_three_valued_logic_against_a_reference(expression):
    """S-71: AND, OR and NOT with unknown."""
    if len(expression) <= 1024:
        assert SqlFilter(expression).matches(FACTS) is (reference(expression) is True)


@settings(max_examples=400, derandomize=True)
@given(st.text("ab%_.\n", max_size=8), st.text("ab%_.\n", max_size=8))
def test_like_against_regular_expressions(pattern, subject):
    """S-71: % is any text, _ any one character, line ends included."""
    expected = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
    assert values.matches(subject, values.pattern(pattern, None)) is bool(re.fullmatch(expected, subject, re.DOTALL))


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1])
def test_results_beyond_64_bits_are_refused(value):
    """S-71: int64."""
    with pytest.raises(FilterException, match="overflow"):
        values.bounded(value)
