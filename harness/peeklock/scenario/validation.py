"""From pydantic's errors to sentences with a place, an expectation and a remedy."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from peeklock.errors import PeeklockError
from peeklock.scenario.document import DataPath, Document, unknown_key
from peeklock.scenario.errors import Problem, suggestion
from peeklock.scenario.matchers import show
from peeklock.scenario.values import is_template

T = TypeVar("T", bound=BaseModel)

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "mapping_type": "a mapping",
}


def validate(
    model: type[T], raw: Any, document: Document, base: DataPath, *, resolved_later: bool = False
) -> tuple[T | None, list[Problem]]:
    """Return the model, or the problems in `raw`, which stands at `base` of the document.

    `resolved_later`: a scalar that holds `${…}` is taken on trust, since it is checked when its names have been looked up.
    There is then neither a model nor a problem.
    """
    try:
        return model.model_validate(raw, context={"folder": document.path.parent}), []
    except ValidationError as error:
        problems: dict[tuple[DataPath, str], Problem] = {}
        for detail in error.errors():
            if detail["type"] == "extra_forbidden" or not (resolved_later and is_template(detail["input"])):
                path, problem = _problem(model, detail, raw, document, base)
                problems.setdefault((path, problem.message), problem)
        return None, list(problems.values())


def _problem(
    model: type[BaseModel], detail: Any, raw: Any, document: Document, base: DataPath
) -> tuple[DataPath, Problem]:
    location = _written(detail["loc"], raw)
    path, kind = (*base, *location), detail["type"]
    last = detail["loc"][-1] if detail["loc"] else ""
    if kind == "extra_forbidden":
        return path, unknown_key(document, path, _keys_at(model, detail["loc"][:-1]))
    if kind == "missing":
        where = document.problem(path, f'the key "{last}" is missing', fix=f"add {last}: …", at_key=True)
        return (*path, last), where
    message, expected, fix = detail["msg"].removeprefix("Value error, "), "", ""
    if is_template(detail["input"]):
        text = f"{_what(location)} cannot hold a `${{…}}`: it is read before anything is looked up"
        return path, document.problem(path, text, actual=show(detail["input"]), fix="write the value out")
    if kind in _KINDS:
        expected, message = _KINDS[kind], f"{_what(location)} has the wrong type"
    elif kind in ("literal_error", "enum"):
        choices = [choice.strip("' ") for choice in detail["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        expected, message = "one of " + ", ".join(choices), f"{_what(location)} is not one of the words it may be"
        fix = suggestion(str(detail["input"]), choices)
    elif message.startswith("no such file"):
        fix = "paths are relative to the file that names them"
        message = message.replace(str(Path.cwd()) + "/", "")
    elif kind != "value_error":
        message = f"{_what(location)}: {message[:1].lower()}{message[1:]}"
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, PeeklockError):  # it says more than its first sentence
        message, expected, fix = cause.problem, cause.expected, cause.fix
    shown = "" if isinstance(detail["input"], dict) and kind == "value_error" else show(detail["input"])
    return path, document.problem(path, message, expected=expected, actual=shown, fix=fix)


def _what(location: DataPath) -> str:
    return f'"{location[-1]}"' if location and isinstance(location[-1], str) else "the value"


def _written(location: tuple[Any, ...], raw: Any) -> DataPath:
    """Return the part of pydantic's location that stands in the data; it also names branches of unions."""
    path: list[str | int] = []
    for part in location:
        if (isinstance(raw, dict) and part in raw) or (
            isinstance(raw, list) and isinstance(part, int) and part < len(raw)
        ):
            raw = raw[part]
            path.append(part)
    return tuple(path)


def _keys_at(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Return the keys that the model at `location` knows."""
    for part in location:
        inner = _models(_annotation(model, part))
        model = inner[0] if inner else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _annotation(model: type[BaseModel], part: Any) -> Any:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            return field.annotation
    return None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.UnionType | types.GenericAlias) or typing.get_args(annotation):
        return [found for argument in typing.get_args(annotation) for found in _models(argument)]
    return []
