"""Keyword expressions, as pytest's -k has them: `sas and not (expired or early)`."""

from __future__ import annotations

import re
from collections.abc import Callable

from peeklock.errors import PeeklockError

Keyword = Callable[[str], bool]
_TOKEN = re.compile(r"\s*(?:([()])|([^\s()]+))")


class KeywordInvalid(PeeklockError):
    """An expression that cannot be read."""

    def __init__(self, expression: str, problem: str) -> None:
        super().__init__(
            f"-k {expression!r}: {problem}",
            expected="words with and, or, not and parentheses",
            fix="write for example -k 'sas and not (expired or early)'",
        )


def compile_keyword(expression: str) -> Keyword:
    """Return what tells whether a text holds what an expression asks for, in any case of letters; an empty one asks for nothing.

    Raises `KeywordInvalid`.
    """
    if not expression.strip():
        return lambda _: True
    parser = _Parser(expression)
    found = parser.alternatives()
    if parser.next is not None:
        raise KeywordInvalid(expression, f"{parser.next!r} is not expected")
    return lambda text: found(text.lower())


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens = [parenthesis or word for parenthesis, word in _TOKEN.findall(expression)]

    @property
    def next(self) -> str | None:
        return self._tokens[0] if self._tokens else None

    def _take(self, wanted: str) -> bool:
        if self.next is None or self.next.lower() != wanted:
            return False
        self._tokens.pop(0)
        return True

    def alternatives(self) -> Keyword:
        any_of = [self._all()]
        while self._take("or"):
            any_of.append(self._all())
        return lambda text: any(found(text) for found in any_of)

    def _all(self) -> Keyword:
        all_of = [self._one()]
        while self._take("and"):
            all_of.append(self._one())
        return lambda text: all(found(text) for found in all_of)

    def _one(self) -> Keyword:
        if self._take("not"):
            inner = self._one()
            return lambda text: not inner(text)
        if self._take("("):
            inner = self.alternatives()
            if not self._take(")"):
                raise KeywordInvalid(self._expression, "a parenthesis is not closed")
            return inner
        word = self.next
        if word is None or word == ")" or word.lower() in ("and", "or"):
            raise KeywordInvalid(self._expression, f"a word is missing before {word or 'the end'}")
        self._tokens.pop(0)
        return lambda text: word.lower() in text
