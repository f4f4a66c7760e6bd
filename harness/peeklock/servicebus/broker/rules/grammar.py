"""The SQL of filters and actions (S-71, S-72): its grammar, and parse errors as sentences.

lark is loaded with the first expression: a namespace without SQL rules pays nothing for it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from .errors import RuleInvalid

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

MAX_LENGTH = 1_024
MAX_NESTING = 100
Kind = Literal["filter", "action"]

_GRAMMAR = r"""
filter: _or
action: (statement ";"*)*
statement: _SET property "=" _add        -> set
         | _REMOVE property              -> remove

_or: _and | or
or: _or _OR _and
_and: _not | and
and: _and _AND _not
_not: _test | not
not: _NOT _not
_test: _add | compare | is_null | is_not_null | in | not_in | like | not_like
compare: _add COMPARE _add | _add EQUAL _add
is_null: _add _IS _NULL
is_not_null: _add _IS _NOT _NULL
in: _add _IN "(" _add ("," _add)* ")"
not_in: _add _NOT _IN "(" _add ("," _add)* ")"
like: _add _LIKE _add (_ESCAPE _add)?
not_like: _add _NOT _LIKE _add (_ESCAPE _add)?

_add: _mul | binary_add
binary_add: _add SIGN _mul
_mul: _unary | binary_mul
binary_mul: _mul FACTOR _unary
_unary: _atom | unary
unary: SIGN _unary
_atom: property | number | string | parameter | function | exists | true | false | null | group
group: "(" _or ")"

property: name ["." name]
name: NAME | BRACKETED | QUOTED
number: INTEGER | FLOAT
string: STRING
parameter: PARAMETER
function: NAME "(" [_or ("," _or)*] ")"
exists: _EXISTS "(" property ")"
true: _TRUE
false: _FALSE
null: _NULL

_OR.2: /OR\b/i
_AND.2: /AND\b/i
_NOT.2: /NOT\b/i
_IS.2: /IS\b/i
_IN.2: /IN\b/i
_LIKE.2: /LIKE\b/i
_ESCAPE.2: /ESCAPE\b/i
_EXISTS.2: /EXISTS\b/i
_NULL.2: /NULL\b/i
_TRUE.2: /TRUE\b/i
_FALSE.2: /FALSE\b/i
_SET.2: /SET\b/i
_REMOVE.2: /REMOVE\b/i
COMPARE: "<>" | "!=" | ">=" | "<=" | ">" | "<"
EQUAL: "="
SIGN: "+" | "-"
FACTOR: "*" | "/" | "%"
FLOAT.2: /\d+\.\d*(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|\d+e[+-]?\d+/i
INTEGER: /\d+/
STRING: /'(?:[^']|'')*'/
BRACKETED: /\[(?:[^\]]|\]\])+\]/
QUOTED: /"(?:[^"]|"")+"/
PARAMETER: /@[^\W\d]\w*/
NAME: /[^\W\d]\w*/

%import common.WS
%ignore WS
"""
_SHOWN = {
    "_OR": "OR", "_AND": "AND", "_NOT": "NOT", "_IS": "IS", "_IN": "IN", "_LIKE": "LIKE", "_ESCAPE": "ESCAPE",
    "_EXISTS": "EXISTS", "_NULL": "NULL", "_TRUE": "TRUE", "_FALSE": "FALSE", "_SET": "SET", "_REMOVE": "REMOVE",
    "COMPARE": "<>", "EQUAL": "=", "SIGN": "+ or -", "FACTOR": "*, / or %", "FLOAT": "a number", "INTEGER": "a number",
    "STRING": "a 'string'", "BRACKETED": "a property", "QUOTED": "a property", "NAME": "a property",
    "PARAMETER": "a @parameter", "LPAR": "(", "RPAR": ")", "COMMA": ",", "DOT": ".", "SEMICOLON": ";", "$END": "the end",
}  # fmt: skip


@lru_cache(maxsize=2)
def _parser(kind: Kind) -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, start=kind, parser="lalr", propagate_positions=True)


def parse(kind: Kind, text: str) -> Tree[Token]:
    """Parse a filter's or an action's expression. Raises `RuleInvalid` with line, column and what was expected."""
    if not isinstance(text, str) or not text.strip():
        raise RuleInvalid(f"The SQL {kind} expression is empty.", "write one, such as color = 'red'")
    if len(text) > MAX_LENGTH:
        raise RuleInvalid(
            f"The SQL {kind} expression has {len(text)} characters; {MAX_LENGTH} are allowed.", "shorten it"
        )
    _check_nesting(kind, text)
    from lark.exceptions import UnexpectedInput

    try:
        return _parser(kind).parse(text)
    except UnexpectedInput as error:
        raise _explain(kind, text, error) from None


def _check_nesting(kind: Kind, text: str) -> None:
    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise RuleInvalid(f"The SQL {kind} expression nests {deepest} deep; {MAX_NESTING} are allowed.", "flatten it")


def _explain(kind: Kind, text: str, error: Any) -> RuleInvalid:
    token = getattr(error, "token", None)
    expected = getattr(error, "accepts", None) or getattr(error, "expected", None) or getattr(error, "allowed", None)
    shown = sorted({_SHOWN.get(name, name) for name in expected or ()})
    if token is not None and token.type == "$END":
        line, column, found = text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1, "the end"
    else:
        line, column = error.line, error.column
        found = f"'{token}'" if token is not None else f"'{text[error.pos_in_stream]}'"
    fix = "see the SQL filter syntax of Service Bus"
    if found == "'\"'" or found == "'''":
        fix = "close the quote"
    elif found in ("'&'", "'|'"):
        fix = "write AND or OR"
    elif token is not None and token.type in _SHOWN and token.type.startswith("_"):
        fix = f"write [{token}] when a property of that name is meant"
    return RuleInvalid(
        f"The SQL {kind} expression is not valid at line {line}, column {column}: found {found}"
        + (f", expected {', '.join(shown)}." if shown else "."),
        f"{fix}.",
    )
