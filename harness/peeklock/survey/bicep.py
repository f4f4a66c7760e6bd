"""Reads Bicep: its resources with what stands written in them. Expressions are looked up as far as parameters have defaults."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .azure_resources import Expression, Resource, TemplateInvalid, take
from .draft import Draft

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*|/\*.*?\*/)|(?P<line>\n)|(?P<text>'''.*?'''|'(?:\\.|[^'\\])*')"""
    r"""|(?P<number>-?\d+)|(?P<word>[A-Za-z_@#][\w.@/-]*)|(?P<sign>[{}\[\]:=(),?!.<>|&+*/%-])""",
    re.DOTALL,
)
_Token = tuple[str, str, int]


def read_bicep(path: Path, draft: Draft) -> None:
    """Add what a Bicep file deploys. Raises `TemplateInvalid`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateInvalid(f"{path} cannot be read: {error}") from None
    take(list(_Reader(text, draft.near(path)).resources()), draft)
    for module in re.findall(r"^module\s+\w+\s+'([^']+\.bicep)'", text, re.MULTILINE):
        other = (path.parent / module).resolve()
        if other.is_file() and other not in draft.sources:
            draft.sources.append(other)
            read_bicep(other, draft)


class _Reader:
    def __init__(self, text: str, place: str) -> None:
        self._place = place
        self._tokens: list[_Token] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                at += 1
                continue
            if match.lastgroup != "space":
                self._tokens.append((str(match.lastgroup), match.group(), text.count("\n", 0, at) + 1))
            at = match.end()
        self._at = 0
        self._names: dict[str, Any] = {}

    def resources(self) -> Iterator[Resource]:
        """Yield every resource, nested ones too, with what they stand in."""
        symbols: dict[str, Resource] = {}
        while self._at < len(self._tokens):
            kind, text, line = self._tokens[self._at]
            if kind == "word" and text in ("param", "var") and self._starts_a_line():
                self._define()
            elif kind == "word" and text == "resource" and self._starts_a_line():
                yield from self._resource(symbols, None, line)
            else:
                self._at += 1

    def _starts_a_line(self) -> bool:
        return self._at == 0 or self._tokens[self._at - 1][0] == "line"

    def _define(self) -> None:
        name = self._tokens[self._at + 1][1] if self._at + 1 < len(self._tokens) else ""
        self._at += 1
        while self._at < len(self._tokens) and self._tokens[self._at][0] != "line":
            if self._tokens[self._at][1] == "=":
                self._at += 1
                self._names[name] = self._value()
                return
            self._at += 1

    def _resource(self, symbols: dict[str, Resource], above: Resource | None, line: int) -> Iterator[Resource]:
        symbol, written = self._ahead(1)[1], self._ahead(2)[1].strip("'")
        self._at += 3
        while self._at < len(self._tokens) and self._tokens[self._at][1] != "=":
            self._at += 1
        self._at += 1
        kind = written.partition("@")[0].lower()
        if above is not None:
            kind = f"{above.type}/{kind}"
        for body in self._bodies():
            parent = above or symbols.get(str(body.get("parent", "")).partition("[")[0])
            name = body.get("name", "*")
            known = isinstance(name, str) and not isinstance(name, Expression)
            names = name.split("/") if known else ["*"]
            up = (*parent.parents, parent.name) if parent is not None else tuple(names[:-1])
            properties = body.get("properties")
            found = Resource(
                kind, names[-1], properties if isinstance(properties, Mapping) else {}, f"{self._place}:{line}", up
            )
            symbols[symbol] = found
            yield found
            yield from self._inner(body, symbols, found)

    def _bodies(self) -> list[dict[str, Any]]:
        """Return the body of a resource; of a loop, one for each item that is known."""
        if self._peek() == "if":
            self._skip_condition()
        value = self._value()
        bodies = value if isinstance(value, list) else [value]
        return [body for body in bodies if isinstance(body, dict)]

    def _inner(self, body: Mapping[str, Any], symbols: dict[str, Resource], above: Resource) -> Iterator[Resource]:
        for start in body.get("", ()):
            back, self._at = self._at, start
            yield from self._resource(symbols, above, self._tokens[start][2])
            self._at = back

    def _ahead(self, count: int) -> _Token:
        """Return the token that is `count` further on; the end of a file that is cut off is an empty line."""
        at = self._at + count
        return self._tokens[at] if at < len(self._tokens) else ("line", "", 0)

    def _peek(self) -> str:
        return self._ahead(0)[1]

    def _skip_lines(self) -> None:
        while self._at < len(self._tokens) and (self._tokens[self._at][0] == "line" or self._peek() == ","):
            self._at += 1

    def _skip_condition(self) -> None:
        self._at += 1
        depth = 0
        while self._at < len(self._tokens):
            depth += {"(": 1, ")": -1}.get(self._peek(), 0)
            self._at += 1
            if depth == 0:
                return

    def _value(self) -> Any:
        if self._at >= len(self._tokens):
            return Expression("")
        kind, text, _ = self._tokens[self._at]
        if text == "{":
            return self._object()
        if text == "[":
            return self._list()
        start = self._at
        self._at += 1
        if self._ends():
            if kind == "text":
                return self._text(text)
            if kind == "number":
                return int(text)
            if text in ("true", "false"):
                return text == "true"
            return self._named(text)
        return self._expression(start)

    def _ends(self) -> bool:
        return self._at >= len(self._tokens) or self._tokens[self._at][0] == "line" or self._peek() in ("}", "]", ",")

    def _expression(self, start: int) -> Expression:
        depth = 0
        while self._at < len(self._tokens):
            text = self._peek()
            if depth == 0 and self._ends():
                break
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text, 0)
            self._at += 1
        return Expression("".join(text for kind, text, _ in self._tokens[start : self._at] if kind != "line"))

    def _named(self, text: str) -> Any:
        value: Any = self._names
        for part in text.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return Expression(text)
            value = value[part]
        return value

    def _text(self, written: str) -> str:
        inner = written[3:-3] if written.startswith("'''") else written[1:-1]

        def one(match: re.Match[str]) -> str:
            found = self._named(match[1].strip())
            return "*" if isinstance(found, Expression) else str(found)

        return re.sub(r"\$\{([^}]*)\}", one, inner).replace("\\'", "'")

    def _object(self) -> dict[str, Any]:
        self._at += 1
        found: dict[str, Any] = {}
        while self._at < len(self._tokens):
            self._skip_lines()
            kind, text, _ = self._tokens[self._at] if self._at < len(self._tokens) else ("", "}", 0)
            if text == "}":
                self._at += 1
                return found
            if text == "resource" and kind == "word":
                found.setdefault("", []).append(self._at)
                self._skip_resource()
                continue
            self._at += 1
            if self._peek() == ":":
                self._at += 1
                found[self._text(text) if kind == "text" else text] = self._value()
        return found

    def _skip_resource(self) -> None:
        while self._at < len(self._tokens) and self._peek() != "=":
            self._at += 1
        self._at += 1
        if self._peek() == "if":
            self._skip_condition()
        names, self._names = self._names, dict(self._names)
        self._value()
        self._names = names

    def _list(self) -> list[Any]:
        self._at += 1
        self._skip_lines()
        if self._peek() == "for":
            return self._loop()
        found: list[Any] = []
        while self._at < len(self._tokens) and self._peek() != "]":
            found.append(self._value())
            self._skip_lines()
        self._at += 1
        return found

    def _loop(self) -> list[Any]:
        """Return what a loop makes of each item of a list that is known; of one that is not, what it makes of nothing."""
        self._at += 1
        variables: list[str] = []
        while self._peek() != "in" and self._at < len(self._tokens):
            if self._tokens[self._at][0] == "word":
                variables.append(self._peek())
            self._at += 1
        self._at += 1
        kind, text, _ = self._ahead(0)
        if text == "[":
            items: Any = self._list()
        else:
            items = self._named(text) if kind == "word" else None
            while self._at < len(self._tokens) and self._peek() != ":":
                self._at += 1
        if self._peek() == ":":
            self._at += 1
        self._skip_lines()
        start, outer, found = self._at, self._names, []
        for index, item in enumerate(items if isinstance(items, list) else [Expression("*")]):
            self._at = start
            self._names = {**outer, **dict(zip(variables, (item, index), strict=False))}
            if self._peek() == "if":
                self._skip_condition()
            found.append(self._value())
        self._names = outer
        self._skip_lines()
        if self._peek() == "]":
            self._at += 1
        return found
