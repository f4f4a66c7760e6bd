"""What services are told by environment variables, and where that stands: environment files in particular."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Original, parse_stream

from peeklock.errors import PeeklockError
from peeklock.scenario.errors import shorten


class EnvironmentFileInvalid(PeeklockError):
    """An environment file that is not there, is empty or cannot be read."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable of one service. Its value may hold secrets: `repr` leaves it out."""

    service: str
    variable: str
    value: str = field(repr=False)
    where: str
    """As for a person: `api.env:3 (DATABASE_URL)`."""


def read_files(paths: Sequence[Path]) -> list[Setting]:
    """Return the variables of each file, as of a service of its name: `worker.env` is `worker`'s.

    Takes what `docker --env-file` takes, and quotes and `export` besides. Raises `EnvironmentFileInvalid`.
    """
    names = [_service(path) for path in paths]
    return [
        setting
        for path, name in zip(paths, names, strict=True)
        for setting in _read(path, name if names.count(name) == 1 else shorten(path.resolve()))
    ]


def _service(path: Path) -> str:
    pieces = [piece for piece in path.name.split(".") if piece not in ("", "env")]
    return ".".join(pieces) or path.resolve().parent.name


def _read(path: Path, service: str) -> list[Setting]:
    fix = "name a file of NAME=value lines, as `docker run --env-file` takes it"
    try:
        with path.open(encoding="utf-8-sig") as file:
            bindings = list(parse_stream(file))
    except OSError as error:
        raise EnvironmentFileInvalid(
            f"cannot read the environment file: {error.strerror}", where=str(path), fix=fix
        ) from None
    except UnicodeDecodeError:
        raise EnvironmentFileInvalid("the environment file is no UTF-8 text", where=str(path), fix=fix) from None
    for binding in bindings:
        if binding.error:  # the line is not shown: it may be a key
            raise EnvironmentFileInvalid(
                "a line of the environment file cannot be read",
                where=f"{path}:{_line(binding.original)}",
                expected="NAME=value, a comment, or nothing",
                fix="correct the line; a quote that is opened must be closed",
            )
    last = {each.key: each for each in bindings if each.key is not None and each.value is not None}
    if not any(each.value for each in last.values()):
        raise EnvironmentFileInvalid("the environment file sets no variable", where=str(path), fix=fix)
    shown = shorten(path.resolve())
    return [
        Setting(service, name, each.value, f"{shown}:{_line(each.original)} ({name})")
        for name, each in last.items()
        if each.value
    ]


def _line(original: Original) -> int:
    """Return the line of the text itself: the parser counts blank lines before it as a part of it."""
    text = original.string
    return original.line + text[: len(text) - len(text.lstrip())].count("\n")
