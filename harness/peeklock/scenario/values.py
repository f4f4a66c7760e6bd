"""`${…}`: names and functions inside scenario values, looked up after parsing, with their types kept."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from peeklock.durations import parse_duration
from peeklock.errors import PeeklockError
from peeklock.scenario.errors import suggestion

_TOKEN = re.compile(r"\$\$|\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w$-]+|\[-?\d+\]|\[[A-Za-z_][\w.-]*\])*")
_CALL = re.compile(r"([a-z_][a-z0-9_]*)\((.*)\)", re.DOTALL)
_SEGMENT = re.compile(r"\[(-?\d+)\]|\[([A-Za-z_][\w.-]*)\]|\.?([\w$-]+)")

FUNCTIONS = {
    "uuid": "uuid()",
    "now": "now() or now(+5m)",
    "file": "file(path)",
    "sha256": "sha256(path)",
    "fake": "fake(first_name)",
}


class ValueInvalid(PeeklockError, ValueError):
    """A `${…}` that cannot be understood or looked up. A `ValueError` too: pydantic wants one of its validators."""


@dataclass
class Scope:
    """The names that a value may use, and what its functions need."""

    names: Mapping[str, Any]
    folder: Path
    """Where relative paths in `file()` and `sha256()` start."""
    fake: Callable[[str], Any] = field(default=lambda _: None)
    """Returns a value of the Faker provider with this name, from the case's own seed."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    uuid: Callable[[], str] = field(default=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Reference:
    """One `${…}`: a dotted name, or a function with its argument."""

    text: str
    name: str = ""
    function: str = ""
    argument: str = ""

    @property
    def parts(self) -> list[str]:
        """The parts of the name: keys and positions."""
        return [index or key or f"[{name}]" for index, name, key in _SEGMENT.findall(self.name)]

    @property
    def indices(self) -> list[Reference]:
        """The names inside brackets, as `i` in `${list[i]}`."""
        return [Reference(name, name=name) for _, name, _ in _SEGMENT.findall(self.name) if name]

    @property
    def root(self) -> str:
        """The first part of the name, which somebody must have defined."""
        return re.split(r"[.\[]", self.name, maxsplit=1)[0]


def parse_reference(text: str) -> Reference:
    """Return the reference inside `${text}`. Raises `ValueInvalid`."""
    inner = text.strip()
    if call := _CALL.fullmatch(inner):
        name, argument = call.group(1), call.group(2).strip()
        if name not in FUNCTIONS:
            raise ValueInvalid(
                f'there is no function "{name}"',
                fix=suggestion(name, FUNCTIONS) or "use one of " + ", ".join(FUNCTIONS.values()),
            )
        _check_argument(name, argument)
        return Reference(text, function=name, argument=argument)
    if _NAME.fullmatch(inner):
        return Reference(text, name=inner)
    raise ValueInvalid(
        f"not a name or a function: ${{{text}}}",
        fix="write ${name}, ${name.part}, ${list[0]}, ${list[name]} or ${uuid()}; $$ stands for a plain dollar sign",
    )


def _check_argument(function: str, argument: str) -> None:
    if function == "uuid" and argument:
        raise ValueInvalid("uuid() takes no argument", fix="write ${uuid()}")
    if function in ("file", "sha256", "fake") and not argument:
        raise ValueInvalid(f"{function}() needs an argument", fix=f"write ${{{FUNCTIONS[function]}}}")
    if function == "now" and argument:
        try:
            parse_duration(argument)
        except ValueError as error:
            raise ValueInvalid(str(error), fix="write ${now(+5m)} or ${now(-2h)}") from None


def references(value: Any) -> Iterator[tuple[tuple[str | int, ...], Reference]]:
    """Yield every reference inside a value with its path, those in brackets too. Raises `ValueInvalid` at the first bad one."""
    if isinstance(value, str):
        if "${" in _TOKEN.sub(" ", value):
            raise ValueInvalid(
                f"a `${{` that is not closed, or has another one inside: {value}",
                fix="give the inner one a name first (set, vars, matrix); $$ stands for a plain dollar sign",
            )
        for token in _TOKEN.finditer(value):
            if token.group(1) is not None:
                found = parse_reference(token.group(1))
                yield (), found
                for inner in found.indices:
                    yield (), inner
    elif isinstance(value, Mapping):
        for key, child in value.items():
            for path, reference in references(child):
                yield (key, *path), reference
    elif isinstance(value, list):
        for index, child in enumerate(value):
            for path, reference in references(child):
                yield (index, *path), reference


def is_template(value: Any) -> bool:
    """Tell whether a scalar holds a reference, so that its type is known only when it is looked up."""
    return isinstance(value, str) and any(token.group(1) is not None for token in _TOKEN.finditer(value))


def resolve(value: Any, scope: Scope) -> Any:
    """Return `value` with every reference looked up; a whole-value reference keeps the type of what it names."""
    if isinstance(value, str):
        return _resolve_text(value, scope)
    if isinstance(value, Mapping):
        return {key: resolve(child, scope) for key, child in value.items()}
    if isinstance(value, list):
        return [resolve(child, scope) for child in value]
    return value


def _resolve_text(text: str, scope: Scope) -> Any:
    whole = _TOKEN.fullmatch(text)
    if whole and whole.group(1) is not None:
        return _look_up(parse_reference(whole.group(1)), scope)

    def one(token: re.Match[str]) -> str:
        if token.group(1) is None:
            return "$"
        found = _look_up(parse_reference(token.group(1)), scope)
        if isinstance(found, bool):
            return "true" if found else "false"
        return "" if found is None else str(found)

    return _TOKEN.sub(one, text)


def _look_up(reference: Reference, scope: Scope) -> Any:
    if reference.function:
        return _call(reference, scope)
    if reference.root not in scope.names:
        raise ValueInvalid(f'"{reference.root}" is not defined', fix=suggestion(reference.root, scope.names))
    value = scope.names[reference.root]
    return dig(value, reference.name[len(reference.root) :], reference.root, lambda name: _index(name, scope))


def _index(name: str, scope: Scope) -> str | int:
    """Return what a name in brackets stands for. Raises `ValueInvalid`."""
    found = _look_up(Reference(name, name=name), scope)
    if isinstance(found, bool) or not isinstance(found, str | int):
        kind = type(found).__name__
        raise ValueInvalid(f"[{name}] is a {kind}, expected a whole number or the name of a key")
    return found


def _has(value: Any, key: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(key, int) and -len(value) <= key < len(value)
    return isinstance(value, Mapping) and key in value


def _no_names(name: str) -> str | int:
    raise ValueInvalid(f"[{name}]: a path has positions in brackets, not names", fix="write [0], or [-1] for the last")


def dig(value: Any, path: str, so_far: str = "", index_of: Callable[[str], str | int] = _no_names) -> Any:
    """Follow `.key`, `[0]`, `[-1]` (the last) and `[name]` into a value. Raises `ValueInvalid` with what is there instead."""
    for segment in _SEGMENT.finditer(path):
        position, name, text = segment.groups()
        key: str | int = int(position) if position else index_of(name) if name else text
        if isinstance(value, list) and isinstance(key, str) and key.isdigit():
            key = int(key)
        if _has(value, key):
            value = value[key]
        else:
            has = (
                "keys " + ", ".join(map(str, value))
                if isinstance(value, Mapping)
                else (
                    f"{len(value)} items" if isinstance(value, list) else f"{type(value).__name__}, which has no parts"
                )
            )
            raise ValueInvalid(
                f'"{so_far or "the result"}" has no "{key}"; it has {has}',
                fix=suggestion(str(key), [str(k) for k in value]) if isinstance(value, Mapping) else "",
            )
        so_far += segment.group(0)
    return value


def _call(reference: Reference, scope: Scope) -> Any:
    match reference.function:
        case "uuid":
            return scope.uuid()
        case "now":
            moment = scope.now() + timedelta(seconds=parse_duration(reference.argument) if reference.argument else 0)
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "fake":
            return scope.fake(reference.argument)
    path = scope.folder / reference.argument
    if path.exists() and not path.is_file():  # a pipe would be read for ever
        raise ValueInvalid(f"{reference.function}({reference.argument}): not a regular file: {path}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueInvalid(f"{reference.function}({reference.argument}): {error.strerror}: {path}") from error
    if reference.function == "sha256":
        return hashlib.sha256(content).hexdigest()
    return content.decode("utf-8", errors="replace")
