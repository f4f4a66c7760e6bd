"""Expressions compiled to closures: a tree is walked once, when a rule is made, never for a message (S-71)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import values
from .errors import FilterException, RuleInvalid
from .facts import Facts

if TYPE_CHECKING:
    from lark import Token, Tree

Evaluate = Callable[[Facts], Any]
_RESERVED = frozenset(("and", "or", "not", "in", "like", "escape", "exists", "is", "null", "true", "false"))
_CONDITIONS = frozenset(
    ("or", "and", "not", "compare", "is_null", "is_not_null", "in", "not_in", "like", "not_like", "exists")
)
_EITHER = frozenset(("property", "parameter", "function", "true", "false"))


class Compiler:
    """Compiles the trees of one expression; `parameters` are the values of its @names."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        self._parameters = {name.lstrip("@").lower(): value for name, value in (parameters or {}).items()}

    def condition(self, tree: Tree[Token]) -> Evaluate:
        """Compile what must be true, false or unknown. Raises `RuleInvalid`."""
        tree = _open(tree)
        name = str(tree.data)
        if name in _CONDITIONS:
            return self._condition(name, tree)
        if name not in _EITHER:
            raise _at(tree, "a condition is needed here, this is a value", "compare it, such as x = 1")
        read = self.value(tree)

        def check(facts: Facts) -> bool | None:
            found = read(facts)
            if found is None or isinstance(found, bool):
                return found
            raise FilterException(f"A condition is a boolean; this is {values.kind_of(found)}.")

        return check

    def value(self, tree: Tree[Token]) -> Evaluate:
        """Compile what has a value. Raises `RuleInvalid`."""
        tree = _open(tree)
        name = str(tree.data)
        if name in ("binary_add", "binary_mul"):
            return self._chain(name, tree)
        if name == "unary":
            return self._signs(tree)
        if name == "property":
            return reader(*scoped(tree))
        if name == "function":
            return self._function(tree)
        if name in _CONDITIONS:
            raise _at(tree, "a value is needed here, this is a condition", "compare values, not conditions")
        found = self._constant(name, tree)
        return lambda _: found

    def _constant(self, name: str, tree: Any) -> Any:
        if name in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name]
        token = tree.children[0]
        if name == "string":
            return str(token)[1:-1].replace("''", "'")
        if name == "parameter":
            wanted = str(token)[1:].lower()
            if wanted not in self._parameters:
                raise _at(tree, f"the parameter {token} has no value", "give the filter's parameters")
            return self._parameters[wanted]
        if token.type == "FLOAT":
            return float(token)
        number = int(token)
        if number not in values.INT64:
            raise _at(tree, f"{token} does not fit into 64 bits", "write it with a decimal point")
        return number

    def _condition(self, name: str, tree: Any) -> Evaluate:
        parts = tree.children
        if name in ("and", "or"):
            return self._junction(name, tree)
        if name == "not":
            return self._negation(tree)
        if name == "compare":
            compare = values.COMPARISONS[str(parts[1])]
            left, right = self.value(parts[0]), self.value(parts[2])
            return lambda facts: compare(left(facts), right(facts))
        if name in ("is_null", "is_not_null"):
            subject = self.value(parts[0])
            wanted = name == "is_null"
            return lambda facts: (subject(facts) is None) is wanted
        if name == "exists":
            scope, key = scoped(parts[0])
            if scope == "user":
                return lambda facts: key in facts.user()
            return lambda facts: facts.system(key) is not None
        negated = name.startswith("not_")
        test = self._in(parts) if name.endswith("in") else self._like(parts)
        return _negated(test) if negated else test

    def _junction(self, name: str, tree: Any) -> Evaluate:
        decisive: bool = name == "or"
        tests = [self.condition(part) for part in _spine(name, tree)]

        def evaluate(facts: Facts) -> bool | None:
            result: bool | None = not decisive
            for test in tests:
                found = test(facts)
                if found is not None and bool(found) is decisive:
                    return decisive
                if found is None:
                    result = None
            return result

        return evaluate

    def _negation(self, tree: Any) -> Evaluate:
        odd = False
        while tree.data == "not":
            odd = not odd
            tree = _open(tree.children[0])
        test = self.condition(tree)
        return _negated(test) if odd else test

    def _in(self, parts: list[Any]) -> Evaluate:
        subject, *options = [self.value(part) for part in parts]

        def evaluate(facts: Facts) -> bool | None:
            wanted = subject(facts)
            if wanted is None:
                return None
            result: bool | None = False
            for option in options:
                found = values.equal(wanted, option(facts))
                if found:
                    return True
                if found is None:
                    result = None
            return result

        return evaluate

    def _like(self, parts: list[Any]) -> Evaluate:
        reads = [self.value(part) for part in parts]

        def evaluate(facts: Facts) -> bool | None:
            found = [read(facts) for read in reads]
            if None in found:
                return None
            for item in found:
                if not isinstance(item, str):
                    raise FilterException(f"LIKE compares strings; this is {values.kind_of(item)}.")
            return values.matches(found[0], values.pattern(found[1], found[2] if len(found) > 2 else None))

        return evaluate

    def _chain(self, name: str, tree: Any) -> Evaluate:
        """A sum or a product of any length, in one closure."""
        steps: list[tuple[values.Operator, Evaluate]] = []
        while tree.data == name:
            left, symbol, right = tree.children
            steps.append((values.CALCULATIONS[str(symbol)], self.value(right)))
            tree = left
        first = self.value(tree)
        steps.reverse()

        def evaluate(facts: Facts) -> Any:
            result = first(facts)
            for calculate, read in steps:
                result = calculate(result, read(facts))
            return result

        return evaluate

    def _signs(self, tree: Any) -> Evaluate:
        signs = ""
        while tree.data == "unary":
            signs += str(tree.children[0])
            tree = tree.children[1]
        apply = values.negative if signs.count("-") % 2 else values.positive
        if tree.data == "number" and tree.children[0].type == "INTEGER" and apply is values.negative:
            number = -int(tree.children[0])  # the least 64-bit integer has no positive counterpart
            if number in values.INT64:
                return lambda _: number
        read = self.value(tree)
        return lambda facts: apply(read(facts))

    def _function(self, tree: Any) -> Evaluate:
        name, *arguments = [part for part in tree.children if part is not None]
        called = str(name).lower()
        if called == "newid" and not arguments:
            return lambda _: uuid.uuid4()
        if called not in ("property", "p") or len(arguments) != 1:
            raise _at(tree, f"there is no function {name}() with {len(arguments)} arguments",
                      "there are newid(), property(name) and p(name)")  # fmt: skip
        named = self.value(arguments[0])

        def evaluate(facts: Facts) -> Any:
            wanted = named(facts)
            if wanted is None:
                return None
            if not isinstance(wanted, str):
                raise FilterException(f"property() takes a name; this is {values.kind_of(wanted)}.")
            scope, dot, rest = wanted.lower().partition(".")
            if dot and scope in ("sys", "user"):
                return reader(scope, rest)(facts)
            return reader("user", wanted.lower())(facts)

        return evaluate


def reader(scope: str, key: str) -> Evaluate:
    """Compile the reading of a property; `key` is in lower case."""
    if scope == "sys":
        return lambda facts: facts.system(key)

    def read(facts: Facts) -> Any:
        found = facts.user().get(key)
        return None if found is None else found[1]

    return read


def scoped(tree: Any) -> tuple[str, str]:
    """Return scope and name (both in lower case) of a property. Raises `RuleInvalid` for a scope or a name that cannot be."""
    scope, name = written(tree)
    return scope, name.lower()


def written(tree: Any) -> tuple[str, str]:
    """Return the scope of a property and its name as it was written."""
    names = [_name(part) for part in tree.children if part is not None]
    if len(names) == 1:
        return "user", names[0]
    scope = names[0].lower()
    if scope not in ("sys", "user"):
        raise _at(tree, f"'{names[0]}' is not a scope", "use sys. or user., or write [a.b] for a name with a dot")
    return scope, names[1]


def _name(tree: Any) -> str:
    token = tree.children[0]
    if token.type == "BRACKETED":
        return str(token)[1:-1].replace("]]", "]")
    if token.type == "QUOTED":
        return str(token)[1:-1].replace('""', '"')
    if str(token).lower() in _RESERVED:
        raise _at(tree, f"'{token}' is a keyword", f"write [{token}] when a property of that name is meant")
    return str(token)


def _open(tree: Any) -> Any:
    while tree.data == "group":
        tree = tree.children[0]
    return tree


def _spine(name: str, tree: Any) -> list[Any]:
    """Return the operands of a chain of one operator, in order; the grammar nests them to the left."""
    operands = []
    while tree.data == name:
        tree, right = tree.children
        operands.append(right)
    operands.append(tree)
    return operands[::-1]


def _negated(test: Evaluate) -> Evaluate:
    def evaluate(facts: Facts) -> bool | None:
        found = test(facts)
        return None if found is None else not found

    return evaluate


def _at(tree: Any, problem: str, fix: str) -> RuleInvalid:
    meta = tree.meta
    where = f"line {meta.line}, column {meta.column}" if not meta.empty else "its end"
    return RuleInvalid(f"The SQL expression is not valid at {where}: {problem}.", f"{fix}.")
