"""What is wrong with a scenario file, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from peeklock.errors import PeeklockError


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file; lines and columns count from 1, the end column is one past the last character."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: what, where, expected, actual, how to fix."""

    path: Path
    span: Span | None
    message: str
    source: str = ""
    expected: str = ""
    actual: str = ""
    fix: str = ""
    data_path: tuple[str | int, ...] = ()
    """The way to what is wrong from the top of the document."""

    def order(self) -> tuple[str, int, int]:
        """Return a key that sorts problems by their place."""
        return (str(self.path), self.span.line if self.span else 0, self.span.column if self.span else 0)

    def render(self, relative_to: Path | None = None) -> str:
        """Return `file:line:col: message`, the line with a caret, then expected, actual and fix."""
        where = shorten(self.path, relative_to)
        if self.span:
            where += f":{self.span.line}:{self.span.column}"
        lines = [f"{where}: {self.message}"]
        if self.span and self.source:
            lines += excerpt(self.source, self.span)
        lines += [
            f"  {label:<9} {text}"
            for label, text in (("expected", self.expected), ("actual", self.actual), ("fix", self.fix))
            if text
        ]
        return "\n".join(lines)


class ScenarioInvalid(PeeklockError):
    """A scenario file cannot be run as it is written; nothing has been started."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n\n".join(problem.render() for problem in problems))
        self.problems = problems


def excerpt(source: str, span: Span) -> list[str]:
    """Return the line of `span` and a line with carets below it."""
    lines = source.splitlines()
    text = lines[span.line - 1] if 0 < span.line <= len(lines) else ""
    end = span.end_column if span.end_line == span.line else len(text) + 1
    width = max(1, min(end, len(text) + 1) - span.column)
    number = f"{span.line:>5}"
    return [f"{number} | {text}", f"{' ' * len(number)} | {' ' * (span.column - 1)}{'^' * width}"]


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "…"?` for the nearest known word, or an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def shorten(path: Path, relative_to: Path | None = None) -> str:
    """Return `path` as seen from `relative_to` (default: the working directory) where it lies below it."""
    base = relative_to or Path.cwd()
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
