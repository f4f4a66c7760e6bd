"""Log queries: a small, named subset of KQL. What is outside of it is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from lark import Token, Tree

from peeklock.alerts.kql.aggregates import AGGREGATES
from peeklock.alerts.kql.errors import KqlError, place
from peeklock.alerts.kql.expressions import AggregateCompiler, Scalar, Scope, kind_of, scalar
from peeklock.alerts.kql.grammar import parse
from peeklock.alerts.kql.values import Columns, Kind, Row, Value, text

Tables = Mapping[str, Sequence[Row]]
"""The rows of each table, in the order of their times."""
_Stage = Callable[[Sequence[Row], datetime], list[Row]]
_OPERATORS = ("where", "extend", "project", "summarize", "count", "take", "limit")
_PIECE = re.compile(r"""@?"(?:[^"\\\n]|\\.)*"|@?'(?:[^'\\\n]|\\.)*'|//[^\n]*|[|]|[^|"'/@]+|.""", re.DOTALL)


@dataclass(frozen=True)
class Query:
    """A query that can be run: its text, the table that it reads, and the columns of its answer (None: not known)."""

    text: str
    table: str
    columns: Columns | None
    _stages: tuple[_Stage, ...]

    def run(self, tables: Tables, *, now: float) -> list[Row]:
        """Return the answer's rows. `now` is the moment (epoch seconds) that `now()` and `ago()` mean."""
        rows: list[Row] = list(tables.get(self.table, ()))
        moment = datetime.fromtimestamp(now, UTC)
        for stage in self._stages:
            rows = stage(rows, moment)
        return rows


def compile_query(query: str, schemas: Mapping[str, Columns] | None = None) -> Query:
    """Compile a query.

    `schemas` holds the columns of each table there is; without it, every table and column is taken to be there.
    Raises `KqlError`.
    """
    parts = list(_parts(query))
    (start, end), *rest = parts
    table = query[start:end].strip()
    if not re.fullmatch(r"[A-Za-z_]\w*", table):
        raise KqlError(
            "a query begins with the name of a table", where=place(query, start), actual=table[:60] or "nothing"
        )
    columns = _columns(query, start, table, schemas)
    stages = []
    for start, end in rest:
        stage, columns = _stage(query, start, end, columns)
        stages.append(stage)
    return Query(query, table, columns, tuple(stages))


def _columns(query: str, start: int, table: str, schemas: Mapping[str, Columns] | None) -> Columns | None:
    if schemas is None:
        return None
    if table in schemas:
        return schemas[table]
    near = get_close_matches(table, schemas, 1)
    raise KqlError(
        f"there is no table {table!r}",
        where=place(query, start),
        expected=", ".join(sorted(schemas)),
        fix=f"did you mean {near[0]!r}?" if near else "",
    )


def _parts(query: str) -> Iterator[tuple[int, int]]:
    """Yield the offsets of what stands between the pipes; a `|` in a text or a comment is none."""
    start = _skip(query, 0)
    for match in _PIECE.finditer(query):
        if match[0] == "|":
            yield start, match.start()
            start = _skip(query, match.end())
    yield start, len(query.rstrip().rstrip(";"))


def _skip(query: str, offset: int) -> int:
    """Return the offset of the first thing that is neither space nor comment."""
    match = re.compile(r"(?:\s|//[^\n]*(?:\n|$))*").match(query, offset)
    return match.end() if match else offset


def _stage(query: str, start: int, end: int, columns: Columns | None) -> tuple[_Stage, Columns | None]:
    """Compile what follows a pipe; return it with the columns of what it answers."""
    match = re.compile(r"[\w-]*").match(query, start)
    word = match[0] if match else ""
    scope = Scope(query, start + len(word), columns)
    match word:
        case "where":
            return _where(scope, end), columns
        case "extend" | "project":
            return _assign(scope, end, keep=word == "extend")
        case "summarize":
            return _summarize(scope, end)
        case "count":
            return (lambda rows, _: [{"Count": len(rows)}]), {"Count": "number"}
        case "take" | "limit":
            return _take(scope, end), columns
    near = get_close_matches(word, _OPERATORS, 1)
    raise KqlError(
        f"Peeklock does not run the operator {word!r}" if word else "nothing stands after the pipe",
        where=place(query, start),
        expected=", ".join(_OPERATORS),
        fix=f"did you mean {near[0]!r}?" if near else "Peeklock runs a subset of KQL: docs/alerts.md lists it.",
    )


def _where(scope: Scope, end: int) -> _Stage:
    holds = scalar(_parsed(scope, end, "filter"), scope)
    return lambda rows, now: [row for row in rows if holds(row, now) is True]


def _take(scope: Scope, end: int) -> _Stage:
    written = scope.query[scope.offset : end].strip()
    if not written.isdecimal():
        raise KqlError(
            "take needs a number of rows", where=place(scope.query, scope.offset), actual=written or "nothing"
        )
    return lambda rows, _: list(rows[: int(written)])


def _assign(scope: Scope, end: int, *, keep: bool) -> tuple[_Stage, Columns | None]:
    known = scope.columns
    named: list[tuple[str, Scalar]] = []
    made: dict[str, Kind] = {}
    for column in _parsed(scope, end, "columns").children:
        name, expression = _named(column)
        name = name or f"Column{len(named) + 1}"
        inner = Scope(scope.query, scope.offset, known)
        named.append((name, scalar(expression, inner)))
        made[name] = kind_of(expression, inner)
        if keep and known is not None:
            known = {**known, name: kind_of(expression, inner)}

    def stage(rows: Sequence[Row], now: datetime) -> list[Row]:
        answer: list[Row] = []
        for row in rows:
            new: dict[str, Value] = dict(row) if keep else {}
            for name, value in named:
                new[name] = value(new if keep else row, now)
            answer.append(new)
        return answer

    return stage, known if keep else made


def _summarize(scope: Scope, end: int) -> tuple[_Stage, Columns | None]:
    aggregates, by = _parsed(scope, end, "groups").children
    compiler = AggregateCompiler(scope)
    results: list[tuple[str, Scalar]] = []
    for column in _items(aggregates):
        name, expression = _named(column)
        results.append((name or f"Column{len(results) + 1}", compiler.compile(expression)))
    keys: list[tuple[str, Scalar]] = []
    kinds: list[tuple[str, Kind]] = []
    for column in _items(by):
        name, expression = _named(column)
        keys.append((name or f"Column{len(keys) + 1}", scalar(expression, scope)))
        kinds.append((keys[-1][0], kind_of(expression, scope)))
    if not results and not keys:
        raise KqlError("summarize needs an aggregate, or `by` and a column", where=place(scope.query, scope.offset))
    over = [(AGGREGATES[name].of, arguments) for name, arguments in compiler.over]

    def stage(rows: Sequence[Row], now: datetime) -> list[Row]:
        groups: dict[tuple[str, ...], tuple[dict[str, Value], list[Row]]] = {} if keys else {(): ({}, [])}
        for row in rows:
            values = {name: value(row, now) for name, value in keys}
            group = groups.setdefault(tuple(map(text, values.values())), (values, []))
            group[1].append(row)
        answer: list[Row] = []
        for values, group_rows in groups.values():
            found = {
                str(number): of([[argument(row, now) for argument in arguments] for row in group_rows])
                for number, (of, arguments) in enumerate(over)
            }
            answer.append({**values, **{name: value(found, now) for name, value in results}})
        return answer

    return stage, {**dict(kinds), **{name: "dynamic" for name, _ in results}}


def _parsed(scope: Scope, end: int, what: str) -> Tree[Token]:
    return parse(scope.query, scope.offset, end, what)


def _items(columns: object) -> list[object]:
    return list(columns.children) if isinstance(columns, Tree) else []


def _named(column: object) -> tuple[str, Tree[Token]]:
    """Return a column's name and its expression.

    Without a name of its own it has the one that KQL gives: `bin(at, 1m)` is `at`, `log.event` is `log_event`, `avg(ms)` is
    `avg_ms`, `count()` is `count_`; anything else has none.
    """
    name, expression = column.children if isinstance(column, Tree) else (None, column)
    if not isinstance(expression, Tree):
        raise TypeError(f"an expression was expected, not {expression!r}")
    if isinstance(name, Token):
        return str(name), expression
    words = [str(token) for token in expression.scan_values(lambda _: True)]
    match str(expression.data):
        case "call" if words[0] == "bin":
            return words[1], expression
        case "call" if words[0] in ("count", "countif"):
            return f"{words[0]}_", expression
        case "call" if words[0] in AGGREGATES and len(words) > 1 and words[1].isidentifier():
            return "_".join(words if words[0] == "percentile" else words[:2]), expression
        case "name" | "property":
            return "_".join(words), expression
    return "", expression
