"""The scalar functions that log queries may call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from peeklock.alerts.kql.values import Kind, Value, floor, number, parsed, text


@dataclass(frozen=True)
class Function:
    """A scalar function: how many arguments it takes, and what it makes of their values."""

    arguments: range
    of: Callable[..., Value]
    kind: Kind = "dynamic"
    """What it answers."""


def _whole(value: Value) -> Value:
    found = number(value)
    return None if found is None else int(found)


def _decimal(value: Value) -> Value:
    found = number(value)
    return None if found is None else float(found)


def _round(value: Value, digits: int = 0) -> Value:
    return None if value is None else round(float(value), digits)


def _not(value: Value) -> Value:
    return None if value is None else not value


def _truth(value: Value) -> Value:
    return {"true": True, "1": True, "false": False, "0": False}.get(text(value).casefold())


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if value is not None and value != ""), None)


FUNCTIONS = {
    "bin": Function(range(2, 3), floor),
    "coalesce": Function(range(2, 65), _coalesce),
    "iff": Function(range(3, 4), lambda test, yes, no: yes if test else no),
    "iif": Function(range(3, 4), lambda test, yes, no: yes if test else no),
    "isempty": Function(range(1, 2), lambda value: text(value) == "", "bool"),
    "isnotempty": Function(range(1, 2), lambda value: text(value) != "", "bool"),
    "isnull": Function(range(1, 2), lambda value: value is None, "bool"),
    "isnotnull": Function(range(1, 2), lambda value: value is not None, "bool"),
    "not": Function(range(1, 2), _not, "bool"),
    "parse_json": Function(range(1, 2), parsed),
    "todynamic": Function(range(1, 2), parsed),
    "round": Function(range(1, 3), _round, "number"),
    "strcat": Function(range(1, 65), lambda *values: "".join(map(text, values)), "string"),
    "strlen": Function(range(1, 2), lambda value: len(text(value)), "number"),
    "tobool": Function(range(1, 2), _truth, "bool"),
    "todouble": Function(range(1, 2), _decimal, "number"),
    "toreal": Function(range(1, 2), _decimal, "number"),
    "toint": Function(range(1, 2), _whole, "number"),
    "tolong": Function(range(1, 2), _whole, "number"),
    "tolower": Function(range(1, 2), lambda value: text(value).lower(), "string"),
    "tostring": Function(range(1, 2), text, "string"),
    "toupper": Function(range(1, 2), lambda value: text(value).upper(), "string"),
}
