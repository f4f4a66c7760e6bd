"""Expressions of log queries, compiled to functions of a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from lark import Token, Tree

from peeklock.alerts.kql.aggregates import AGGREGATES
from peeklock.alerts.kql.errors import KqlError, place
from peeklock.alerts.kql.functions import FUNCTIONS
from peeklock.alerts.kql.values import (
    TEXT_TESTS,
    Columns,
    Kind,
    Row,
    Value,
    arithmetic,
    comparison,
    member,
    text,
    text_test,
)

Scalar = Callable[[Row, datetime], Value]
"""A row and the moment at which the query runs give a value."""
_UNITS = {"microsecond": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: the query's text, the offset of the parsed part, and the columns there (None: not known)."""

    query: str
    offset: int
    columns: Columns | None

    def error(self, problem: str, tree: Tree[Token] | Token, *, expected: str = "", fix: str = "") -> KqlError:
        position = tree.start_pos if isinstance(tree, Token) else tree.meta.start_pos
        return KqlError(problem, where=place(self.query, self.offset + (position or 0)), expected=expected, fix=fix)

    def column(self, name: Token) -> str:
        """Return a column's name. Raises `KqlError` where it is known not to be there."""
        if self.columns is None or name in self.columns:
            return str(name)
        near = get_close_matches(name, self.columns, 1)
        raise self.error(
            f"there is no column {str(name)!r}",
            name,
            expected=", ".join(sorted(self.columns)),
            fix=f"did you mean {near[0]!r}?" if near else "",
        )


def scalar(tree: Tree[Token], scope: Scope) -> Scalar:
    """Compile an expression over one row. Raises `KqlError`."""
    return _Compiler(scope).compile(tree)


class _Compiler:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def compile(self, tree: Tree[Token]) -> Scalar:
        method = getattr(self, f"_{str(tree.data).removeprefix('_')}", None)
        if method is None or (str(tree.data).startswith("_") and len(tree.children) == 1):
            return self.compile(_tree(tree.children[0]))
        compiled: Scalar = method(tree)
        return compiled

    def _either(self, tree: Tree[Token]) -> Scalar:
        parts = self._all(tree.children)
        return lambda row, now: any(part(row, now) is True for part in parts)

    def _both(self, tree: Tree[Token]) -> Scalar:
        parts = self._all(tree.children)
        return lambda row, now: all(part(row, now) is True for part in parts)

    def _compared(self, tree: Tree[Token]) -> Scalar:
        word = str(tree.children[1])
        if word in TEXT_TESTS:
            return self._binary(tree.children[0], tree.children[2], text_test(word))
        self._comparable(tree.children[0], tree.children[2])
        return self._binary(tree.children[0], tree.children[2], comparison(word))

    def _matched(self, tree: Tree[Token]) -> Scalar:
        pattern = tree.children[1]
        try:
            compiled = re.compile(text(self._constant(_tree(pattern))))
        except re.error as error:
            raise self.scope.error(f"this is no regular expression: {error}", _tree(pattern)) from None
        value = self.compile(_tree(tree.children[0]))
        return lambda row, now: compiled.search(text(value(row, now))) is not None

    def _member_of(self, tree: Tree[Token]) -> Scalar:
        value, *options = self._all([tree.children[0], *tree.children[2:]])
        for option in tree.children[2:]:
            self._comparable(tree.children[0], option)
        word = str(tree.children[1])
        same = text_test("=~") if "~" in word else comparison("==")
        wanted = not word.startswith("!")

        def holds(row: Row, now: datetime) -> bool:
            found = value(row, now)
            return any(same(found, option(row, now)) is True for option in options) is wanted

        return holds

    def _between(self, tree: Tree[Token]) -> Scalar:
        value, low, high = self._all([tree.children[0], *tree.children[2:]])
        wanted = not str(tree.children[1]).startswith("!")
        least, most = comparison(">="), comparison("<=")

        def holds(row: Row, now: datetime) -> bool | None:
            found = value(row, now)
            inside = (least(found, low(row, now)), most(found, high(row, now)))
            return None if None in inside else all(inside) is wanted

        return holds

    def _calculated(self, tree: Tree[Token]) -> Scalar:
        return self._binary(tree.children[0], tree.children[2], arithmetic(str(tree.children[1])))

    _multiplied = _calculated

    def _negative(self, tree: Tree[Token]) -> Scalar:
        value = self.compile(_tree(tree.children[0]))
        return lambda row, now: None if (found := value(row, now)) is None else -found

    def _property(self, tree: Tree[Token]) -> Scalar:
        value, key = self.compile(_tree(tree.children[0])), str(tree.children[1])
        return lambda row, now: member(value(row, now), key)

    def _element(self, tree: Tree[Token]) -> Scalar:
        return self._binary(tree.children[0], tree.children[1], member)

    def _name(self, tree: Tree[Token]) -> Scalar:
        column = self.scope.column(_token(tree.children[0]))
        return lambda row, _: row.get(column)

    def _literal(self, tree: Tree[Token]) -> Scalar:
        value = _literal(_token(tree.children[0]))
        return lambda _row, _now: value

    def _call(self, tree: Tree[Token]) -> Scalar:
        name, *arguments = tree.children
        if name == "now":
            return lambda _, now: now
        if name == "ago" and len(arguments) == 1:
            back = self.compile(_tree(arguments[0]))
            return lambda row, now: now - back(row, now)
        if name == "datetime":
            return self._moment(tree)
        if name in AGGREGATES and name not in FUNCTIONS:
            raise self.scope.error(f"{name}() counts rows: it stands in summarize only", tree)
        function = FUNCTIONS.get(str(name))
        if function is None:
            raise self._unknown(_token(name))
        if len(arguments) not in function.arguments:
            raise self._count(_token(name), len(arguments), function.arguments)
        parts = self._all(arguments)
        return lambda row, now: function.of(*(part(row, now) for part in parts))

    def _moment(self, tree: Tree[Token]) -> Scalar:
        written = self.scope.query[self.scope.offset + tree.meta.start_pos : self.scope.offset + tree.meta.end_pos]
        raise self.scope.error(
            f"{written} cannot be compared here", tree, fix="The clock of a case is moved: use ago() or now()."
        )

    def _comparable(self, left: object, right: object) -> None:
        """Refuse what Azure refuses: a column of texts never equals a number, so an alert on it would never fire."""
        kinds = {kind_of(_tree(left), self.scope), kind_of(_tree(right), self.scope)} - {"dynamic"}
        if len(kinds) > 1:
            problem = f"a {' and a '.join(sorted(kinds))} cannot be compared"
            raise self.scope.error(
                problem, _tree(left), fix="Write the value as the column has it, or use tostring(), toint()."
            )

    def _binary(self, left: object, right: object, of: Callable[[Value, Value], Value]) -> Scalar:
        first, second = self.compile(_tree(left)), self.compile(_tree(right))
        return lambda row, now: of(first(row, now), second(row, now))

    def _all(self, trees: Sequence[object]) -> list[Scalar]:
        return [self.compile(_tree(tree)) for tree in trees]

    def _constant(self, tree: Tree[Token]) -> Value:
        tokens = list(tree.scan_values(lambda _: True))
        if len(tokens) != 1 or tokens[0].type not in {"STRING", "VERBATIM"}:
            raise self.scope.error("a regular expression has to be a text", tree)
        return _literal(tokens[0])

    def _unknown(self, name: Token) -> KqlError:
        known = sorted({*FUNCTIONS, *AGGREGATES, "now", "ago"})
        near = get_close_matches(name, known, 1)
        fix = f"did you mean {near[0]}()?" if near else ""
        return self.scope.error(
            f"Peeklock does not run the function {name}()", name, expected=", ".join(known), fix=fix
        )

    def _count(self, name: Token, given: int, wanted: range) -> KqlError:
        allowed = str(wanted.start) if len(wanted) == 1 else f"{wanted.start} to {wanted.stop - 1}"
        return self.scope.error(f"{name}() takes {allowed} arguments, not {given}", name)


class AggregateCompiler(_Compiler):
    """Compiles what `summarize` calculates: aggregates of rows, and arithmetic with them."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.over: list[tuple[str, list[Scalar]]] = []
        """The aggregates that were met: each one's name and arguments; its value is in the row under its number."""

    def _call(self, tree: Tree[Token]) -> Scalar:
        name, *arguments = tree.children
        aggregate = AGGREGATES.get(str(name))
        if aggregate is None:
            return super()._call(tree)
        if len(arguments) not in aggregate.arguments:
            raise self._count(_token(name), len(arguments), aggregate.arguments)
        self.over.append((str(name), [scalar(_tree(argument), self.scope) for argument in arguments]))
        key = str(len(self.over) - 1)
        return lambda row, _: row[key]

    def _name(self, tree: Tree[Token]) -> Scalar:
        raise self.scope.error(
            f"{tree.children[0]} has a value in each row: summarize needs an aggregate of it",
            tree,
            expected=", ".join(f"{name}()" for name in AGGREGATES),
        )


def kind_of(tree: Tree[Token], scope: Scope) -> Kind:
    """Return what an expression gives; `dynamic` where that is not known."""
    while len(tree.children) == 1 and str(tree.data).startswith("_"):
        tree = _tree(tree.children[0])
    match str(tree.data):
        case "name":
            return "dynamic" if scope.columns is None else scope.columns.get(str(tree.children[0]), "dynamic")
        case "literal":
            return _KINDS.get(_token(tree.children[0]).type, "dynamic")
        case "call":
            function = FUNCTIONS.get(str(tree.children[0]))
            return "dynamic" if function is None else function.kind
        case "multiplied" | "negative":
            return "number"
        case "either" | "both" | "compared" | "matched" | "member_of" | "between":
            return "bool"
    return "dynamic"


_KINDS: dict[str, Kind] = {
    "TIMESPAN": "timespan", "WHOLE": "number", "REAL": "number", "TRUTH": "bool", "VERBATIM": "string", "STRING": "string",
}  # fmt: skip


def _literal(token: Token) -> Value:
    written = str(token)
    match token.type:
        case "TIMESPAN":
            unit = next(unit for unit in _UNITS if written.endswith(unit))
            return timedelta(seconds=float(written.removesuffix(unit)) * _UNITS[unit])
        case "WHOLE":
            return int(written)
        case "REAL":
            return float(written)
        case "TRUTH":
            return written == "true"
        case "VERBATIM":
            return written[2:-1]
        case "STRING":
            return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), written[1:-1])
        case _:
            return None


def _tree(node: object) -> Tree[Token]:
    if not isinstance(node, Tree):
        raise TypeError(f"an expression was expected, not {node!r}")
    return node


def _token(node: object) -> Token:
    if not isinstance(node, Token):
        raise TypeError(f"a word was expected, not {node!r}")
    return node
