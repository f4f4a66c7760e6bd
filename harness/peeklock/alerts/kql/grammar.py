"""The grammar of expressions in log queries, on lark."""

from __future__ import annotations

from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from peeklock.alerts.kql.errors import KqlError, place

_GRAMMAR = r"""
filter: _either
columns: column ("," column)*
groups: [columns] ["by" columns]
column: [NAME "="] _either

_either: either | _both
either: _both ("or" _both)+
_both: both | _test
both: _test ("and" _test)+
_test: compared | matched | member_of | between | _sum
compared: _sum COMPARES _sum
matched: _sum "matches" "regex" _sum
member_of: _sum IN "(" _either ("," _either)* ")"
between: _sum BETWEEN "(" _sum ".." _sum ")"
_sum: calculated | _product
calculated: _sum ADDS _product
_product: multiplied | _unary
multiplied: _product MULTIPLIES _unary
_unary: negative | _value
negative: "-" _unary
_value: property | element | call | name | literal | "(" _either ")"
property: _value "." NAME
element: _value "[" _either "]"
call: NAME "(" [_either ("," _either)*] ")"
name: NAME
literal: TIMESPAN | REAL | WHOLE | VERBATIM | STRING | TRUTH | NULL

COMPARES.3: "==" | "!=" | "<=" | ">=" | "<" | ">" | "=~" | "!~" | /!?(contains|has|startswith|endswith)(?![\w])/ | /contains_cs(?!\w)/
IN.3: /!?in~?(?![\w])/
BETWEEN.3: /!?between(?!\w)/
ADDS: "+" | "-"
MULTIPLIES: "*" | "/" | "%"
TIMESPAN.3: /\d+(\.\d+)?(microsecond|ms|d|h|m|s)(?!\w)/
REAL.2: /\d+(\.\d+)([eE][+-]?\d+)?|\d+[eE][+-]?\d+/
WHOLE.1: /\d+/
VERBATIM.2: /@"[^"]*"|@'[^']*'/
STRING.2: /"([^"\\\n]|\\.)*"|'([^'\\\n]|\\.)*'/
TRUTH.3: /(true|false)(?!\w)/
NULL.3: /(null|(int|long|real|datetime|timespan)\(null\))(?!\w)/
NAME: /[A-Za-z_]\w*/
COMMENT: /\/\/[^\n]*/
%import common.WS
%ignore WS
%ignore COMMENT
"""


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", start=["filter", "columns", "groups"], propagate_positions=True)


def parse(whole: str, start: int, end: int, what: str) -> Tree[Token]:
    """Parse a part of a query as `filter`, `columns` or `groups`. Raises `KqlError`."""
    try:
        return _parser().parse(whole[start:end], start=what)
    except UnexpectedInput as error:
        offset = end - start if (at := error.pos_in_stream or -1) < 0 else at
        found = whole[start + offset : end].split(None, 1)
        raise KqlError(
            f"the query cannot be read at {found[0]!r}" if found else "the query ends too early",
            where=place(whole, start + offset),
            expected="comparisons (==, !=, <, contains, has, in, between, matches regex), and, or, arithmetic and calls",
            fix="Peeklock runs a subset of KQL: docs/alerts.md lists it.",
        ) from None
