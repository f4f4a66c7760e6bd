"""A YAML 1.2 file as plain data, with the place of every key and value kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import BaseConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from peeklock.scenario.errors import Problem, ScenarioInvalid, Span, suggestion

DataPath = tuple[str | int, ...]
"""The way to a value from the top of a document: keys and list positions."""

_MAX_DEPTH = 60
_MAX_BYTES = 1 << 20
_MAX_VALUES = 100_000
"""How many values a file may hold, those that aliases and merges repeat included."""
_PLAIN = frozenset({"int", "float", "bool", "null"})
_TEXT = frozenset({"str", "timestamp"})
"""Tags of values that stay text: a moment is compared as it is written."""


class Text(str):
    """A text from a file that others extend: a path in it is relative to that file's folder."""

    __slots__ = ("folder",)
    folder: Path


@dataclass(frozen=True)
class Document:
    """The data of one file and the spans of its parts."""

    path: Path
    source: str
    data: Any
    spans: dict[DataPath, Span]
    """Span of each value."""
    keys: dict[DataPath, Span]
    """Span of each mapping key, by the path of its value."""
    base: Document | None = None
    """The file that this one extends; `data` is merged, so that a part of it may stand there."""

    def owner(self, path: DataPath) -> Document:
        """Return the document in which `path` stands, or its nearest parent that is written: this one, or one that it extends."""
        while path:
            document: Document | None = self
            while document is not None:
                if path in document.spans:
                    return document
                document = document.base
            path = path[:-1]
        return self

    def span(self, path: DataPath) -> Span:
        """Return where `path` stands, or where its nearest written parent does."""
        while path and path not in self.spans:
            path = path[:-1]
        return self.spans.get(path, Span(1, 1, 1, 2))

    def entry_span(self, path: DataPath) -> Span:
        """Return the span from a key to the end of its value; the value alone in a list."""
        value = self.span(path)
        key = self.keys.get(path)
        return Span(key.line, key.column, value.end_line, value.end_column) if key else value

    def key_span(self, path: DataPath) -> Span:
        """Return the span of a key, or of the value where there is no key."""
        return self.keys.get(path) or self.span(path)

    def problem(
        self, path: DataPath, message: str, *, expected: str = "", actual: str = "", fix: str = "", at_key: bool = False
    ) -> Problem:
        """Return a problem that points at `path`."""
        owner = self.owner(path)
        span = owner.key_span(path) if at_key else owner.span(path)
        return Problem(owner.path, span, message, owner.source, expected, actual, fix, path)

    def extending(self, base: Document) -> Document:
        """Return this document on top of another: mappings are merged, everything else is replaced."""
        shared = {key: value for key, value in base.data.items() if key not in _OF_THE_BASE_ALONE}
        data = _merge(_based(shared, base.path.parent), self.data)
        return replace(self, data=data, base=_chained(self.base, base))


_OF_THE_BASE_ALONE = frozenset({"base", "extends", "background", "finally"})
"""Keys of a base that are not merged: its steps keep their own document, so that their paths start in its folder."""


def _chained(nearer: Document | None, base: Document) -> Document:
    return base if nearer is None else replace(nearer, base=_chained(nearer.base, base))


def _merge(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    shared = {key: _merge(below[key], above[key]) if key in below else above[key] for key in above}
    return {**below, **shared}


def _based(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: _based(child, folder) for key, child in value.items()}
    if isinstance(value, list):
        return [_based(child, folder) for child in value]
    if type(value) is str:
        text = Text(value)
        text.folder = folder
        return text
    return value


def parse(path: Path) -> Document:
    """Read a file. Raises `ScenarioInvalid` when it cannot be read or is not YAML, or repeats a key."""
    if path.exists() and not path.is_file():
        raise ScenarioInvalid([Problem(path, None, "not a regular file", fix="name a YAML file")])
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ScenarioInvalid([_too_long(path)])
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ScenarioInvalid([Problem(path, None, "no such file", fix="check the path")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioInvalid([Problem(path, None, f"the file cannot be read: {error}")]) from error
    return parse_text(source, path)


@lru_cache(maxsize=256)  # many files extend the same base and use the same fragments
def parse_text(source: str, path: Path) -> Document:
    """Like `parse`, from a text; `path` is for messages. The same text is the same document: change nothing in it."""
    if len(source) > _MAX_BYTES:
        raise ScenarioInvalid([_too_long(path)])
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    yaml.composer.warn_double_anchors = False  # YAML allows it
    try:
        node = yaml.compose(source)
    except MarkedYAMLError as error:
        raise ScenarioInvalid([_syntax_problem(error, source, path)]) from None
    except YAMLError as error:  # a character that YAML does not allow
        raise ScenarioInvalid([_character_problem(error, source, path)]) from None
    if node is None:
        raise ScenarioInvalid([Problem(path, Span(1, 1, 1, 2), "the file is empty", source)])
    builder = _Builder(path, source, yaml.constructor)
    try:
        data = builder.build(node, ())
    except _TooManyValues as error:
        raise ScenarioInvalid([error.problem]) from None
    if builder.problems:
        raise ScenarioInvalid(builder.problems)
    return Document(path, source, data, builder.spans, builder.keys)


class _Composer(Composer):
    """Refuses what is nested too deeply while it is read: reading all of it would take minutes."""

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        if self._depth > _MAX_DEPTH + 1:
            mark = self.parser.peek_event().start_mark
            raise ComposerError(None, None, f"nested more than {_MAX_DEPTH} levels deep", mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _TooManyValues(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _too_long(path: Path) -> Problem:
    most = f"at most {_MAX_BYTES >> 10} KiB"
    return Problem(
        path, None, "the file is too long", expected=most, fix="split it, or keep data in files of their own"
    )


def _character_problem(error: YAMLError, source: str, path: Path) -> Problem:
    position = getattr(error, "position", None)
    if not isinstance(position, int):
        return Problem(path, None, f"not YAML: {error}")
    before = source[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
    character = f"U+{ord(source[position]):04X}" if position < len(source) else ""
    message = f"not YAML: the character {character} is not allowed"
    return Problem(path, Span(line, column, line, column + 1), message, source, fix='write it as an escape in "…"')


def _syntax_problem(error: MarkedYAMLError, source: str, path: Path) -> Problem:
    mark = error.problem_mark or error.context_mark
    span = Span(mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2) if mark else None
    message, fix = str(error.problem or error.context or error), ""
    lines = source.splitlines()
    if span:
        # ruamel reports a tab in different words, and places, by where it stands
        for number in (span.line, span.line - 1):
            text = lines[number - 1] if 0 < number <= len(lines) else ""
            indent = text[: len(text) - len(text.lstrip())]
            if "\t" in indent:
                column = indent.index("\t") + 1
                span = Span(number, column, number, column + 1)
                return Problem(
                    path, span, "a tab in the indentation", source, "spaces", "a tab", "indent with two spaces"
                )
        if "\t" in message:
            message, fix = "a tab where YAML wants spaces", "use spaces"
    return Problem(path, span, f"not YAML: {message}", source, fix=fix)


class _Builder:
    def __init__(self, path: Path, source: str, constructor: BaseConstructor) -> None:
        self.path, self.source, self._constructor = path, source, constructor
        self._count = 0
        self.spans: dict[DataPath, Span] = {}
        self.keys: dict[DataPath, Span] = {}
        self.problems: list[Problem] = []

    def build(self, node: Node, path: DataPath) -> Any:
        self.spans[path] = _span(node)
        self._add(node)
        if len(path) > _MAX_DEPTH:  # through aliases
            self.problems.append(
                Problem(self.path, _span(node), "nested too deeply", self.source, f"at most {_MAX_DEPTH} levels")
            )
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        raise AssertionError(f"YAML has no other kind of node than these three: {node!r}")

    def _add(self, node: Node) -> None:
        self._count += 1
        if self._count > _MAX_VALUES:
            message = f"the file grows to more than {_MAX_VALUES} values here"
            fix = "aliases and merges of aliases multiply: write out what is needed"
            raise _TooManyValues(Problem(self.path, _span(node), message, self.source, fix=fix))

    def _merged(self, node: MappingNode, depth: int = 0) -> Iterator[tuple[Node, Node]]:
        """Yield the pairs of a mapping; those of `<<` only where the mapping has not the key itself."""
        self._add(node)
        own = {str(key.value) for key, _ in node.value if isinstance(key, ScalarNode)}
        for key, value in node.value:
            if isinstance(key, ScalarNode) and str(key.tag).endswith(":merge"):
                for source in value.value if isinstance(value, SequenceNode) else [value]:
                    if not isinstance(source, MappingNode) or depth > _MAX_DEPTH:
                        text = "what << merges is a mapping, or a list of them, and not itself"
                        self.problems.append(Problem(self.path, _span(source), text, self.source))
                        continue
                    for pair in self._merged(source, depth + 1):
                        if str(pair[0].value) not in own:
                            own.add(str(pair[0].value))
                            yield pair
            else:
                yield key, value

    def _mapping(self, node: MappingNode, path: DataPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in self._merged(node):
            if not isinstance(key_node, ScalarNode):
                self.problems.append(Problem(self.path, _span(key_node), "a key must be a plain word", self.source))
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in result:
                first = self.keys[here]
                self.problems.append(
                    Problem(
                        self.path,
                        _span(key_node),
                        f'the key "{key}" is written twice',
                        self.source,
                        actual=f"first written in line {first.line}",
                        fix="keep one of the two",
                    )
                )
                continue
            self.keys[here] = _span(key_node)
            result[key] = self.build(value_node, here)
        return result

    def _scalar(self, node: ScalarNode) -> Any:
        tag = str(node.tag).rsplit(":", 1)[-1]
        if tag in _PLAIN:
            try:
                return self._constructor.construct_object(node)
            except (ValueError, KeyError):
                message = f"{node.value!r} is no {tag}"
                self.problems.append(Problem(self.path, _span(node), message, self.source, fix="write it in quotes"))
                return None
        if tag not in _TEXT and tag != "!":
            message = f"the tag {str(node.tag).replace('tag:yaml.org,2002:', '!!')} means nothing here"
            self.problems.append(Problem(self.path, _span(node), message, self.source, fix="remove the tag"))
        return str(node.value)


def _span(node: Node) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def written_at(document: Document, path: DataPath) -> Any:
    """Return what is written at a place; None where nothing is."""
    value = document.data
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def unknown_key(document: Document, path: DataPath, known: list[str]) -> Problem:
    """Return the problem for a key that nobody reads."""
    key = str(path[-1])
    fix = suggestion(key, known)
    if not fix and " " in key and written_at(document, path) is None:
        fix = "a comma ends a value in { … }: put quotes around the value before it"
    return document.problem(
        path, f'unknown key "{key}"', expected="one of " + ", ".join(sorted(known)), fix=fix, at_key=True
    )
