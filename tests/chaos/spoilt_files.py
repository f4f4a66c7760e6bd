"""Scenario files with a piece of them spoilt: each is taken or refused with its place, in seconds, and nothing else is raised."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from peeklock.engine.plan import load_all
from peeklock.errors import PeeklockError
from peeklock.scenario.errors import ScenarioInvalid
from peeklock.verbs import VOCABULARY

ROOT = Path(__file__).parents[2]
LONGEST = 5
"""Seconds that reading one file may take."""
_ODD = (
    "null", "[]", "{}", "-1", "1e300", ".nan", "99999999999999999999", "''", "${x}", "${", "${uuid(}", "$regex", "{$regex: '('}",
    "!!binary aGk=", "&a [*a]", "2020-01-01", "true", "[[[[[[]]]]]]", "{a: {b: {c: 1}}}", "\u0000", "\ud800", "\u2028", "- - -", "? x",
    "100000d", "0s", "*nobody", "|", ">", "\t", "'\"", "${case.nothing}", "${services.nothing.url}", "{$each: 1, $length: 2}",
)  # fmt: skip


class TooSlow(Exception):
    """Reading a file took longer than it may."""


class Spoiler:
    """Spoils texts, the same way for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def spoil(self, text: str) -> str:
        """Return the text with one to three places changed."""
        for _ in range(self._random.randint(1, 3)):
            text = self._random.choice(self._ways())(text)
        return text

    def _ways(self) -> tuple[Callable[[str], str], ...]:
        return (
            self._line_gone,
            self._line_twice,
            self._line_moved,
            self._value,
            self._value,
            self._character,
            self._key,
        )

    def _lines(self, text: str) -> tuple[list[str], int]:
        lines = text.splitlines(keepends=True) or ["\n"]
        return lines, self._random.randrange(len(lines))

    def _line_gone(self, text: str) -> str:
        lines, at = self._lines(text)
        return "".join(lines[:at] + lines[at + 1 :])

    def _line_twice(self, text: str) -> str:
        lines, at = self._lines(text)
        return "".join([*lines[:at], lines[at], *lines[at:]])

    def _line_moved(self, text: str) -> str:
        lines, at = self._lines(text)
        lines[at] = " " * self._random.randint(0, 8) + lines[at].lstrip(" ")
        return "".join(lines)

    def _value(self, text: str) -> str:
        lines, at = self._lines(text)
        head, colon, _ = lines[at].partition(": ")
        lines[at] = f"{head}{colon}{self._random.choice(_ODD)}\n"
        return "".join(lines)

    def _key(self, text: str) -> str:
        lines, at = self._lines(text)
        lines[at] = lines[at].replace(":", self._random.choice(("", "x:", "::", " :")), 1)
        return "".join(lines)

    def _character(self, text: str) -> str:
        at = self._random.randrange(len(text) or 1)
        return text[:at] + self._random.choice("{}[]:,#&*!|>'\"%@`\n\t é\u0085") + text[at + 1 :]


def read(path: Path) -> str:
    """Return what became of a file: `taken` or `refused`. Raises what should not have been raised, and `TooSlow`."""
    with _bounded():
        try:
            load_all([path], VOCABULARY)
        except ScenarioInvalid as error:
            if not error.problems:
                raise AssertionError("refused without a problem") from None
            for problem in error.problems:
                problem.render()
            return "refused"
        except PeeklockError:
            return "refused"
    return "taken"


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def late(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow(f"more than {LONGEST} s")

    previous = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def copy_of_the_project(folder: Path) -> Path:
    """Return a copy of what scenario files refer to, below `folder`."""
    for name in ("scenarios", "fixtures", "services"):
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pyproject.toml").touch()
    return folder


def sources(folder: Path) -> list[Path]:
    """Return the scenario files of a copy."""
    return sorted(path for path in (folder / "scenarios").rglob("*.yaml") if "fragments" not in path.parts)


def spoil_and_read(count: int, seed: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Yield for each of `count` spoilt files its seed and what became of it, or the exception that it brought about.

    `folder` is a copy of the project's `scenarios`; a spoilt file stands beside the one that it was made of.
    """
    files = [path for path in sources(folder) if path.stat().st_size < 12_000]
    for number in range(seed, seed + count):
        source = files[number % len(files)]
        text = Spoiler(number).spoil(source.read_text(encoding="utf-8"))
        spoilt = source.with_name("spoilt.yaml")
        try:
            spoilt.write_text(text, encoding="utf-8", errors="surrogatepass")
            yield number, read(spoilt)
        except Exception as error:  # noqa: BLE001  it is what is looked for
            yield number, f"{type(error).__name__}: {error}"
        finally:
            spoilt.unlink(missing_ok=True)
