"""Settings as JSON objects: read into dataclasses of scalars, with errors that name the setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from peeklock.errors import PeeklockError

MAX_SECONDS = 922_337_203_685.0
"""The longest time that .NET, and with it the service, can tell."""


class TopologyError(PeeklockError, ValueError):
    """A topology that cannot be: says where, what was found and how to fix it."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(problem, fix=fix)


def read_object(value: Any, where: str) -> Mapping[str, Any]:
    """Return a JSON object. Raises `TopologyError` for anything else."""
    if not isinstance(value, dict):
        raise TopologyError(f"{where}: expected an object, got {type(value).__name__}", "write {...}")
    return value


def check_names(document: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    """Raise `TopologyError` for a setting that is none of `names`."""
    allowed = list(names)
    for key in document:
        if key not in allowed:
            raise TopologyError(f"{where}: {key!r} is not a known setting", f"known: {', '.join(allowed)}")


def read_value(value: Any, annotation: str, where: str) -> Any:
    """Check one JSON value against the annotation of its field."""
    if value is None and "None" in annotation:
        return None
    if annotation.startswith("Literal["):
        annotation = "str"
    kinds: tuple[type, ...] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}.get(
        annotation.split(" ")[0], (tuple,)
    )
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        shown = "the value of a key" if where.endswith(".key") else repr(value)
        raise TopologyError(f"{where}: expected {annotation}, got {shown}", f"give a {annotation.split(' ')[0]}")
    if not annotation.startswith("float"):
        return value
    if isinstance(value, int | float) and -MAX_SECONDS <= value <= MAX_SECONDS:  # NaN is neither
        return float(value)
    raise TopologyError(f"{where}: expected a number up to {MAX_SECONDS:.0f}, got {value}", "give a smaller one")


def read_settings(kind: type[Any], settings: Any, where: str) -> Any:
    """Make a `kind` (a dataclass of scalars) of a JSON object at `where`. Raises `TopologyError` that names the setting."""
    document = read_object(settings, where)
    annotations = {item.name: str(item.type) for item in fields(kind)}
    check_names(document, annotations, where)
    return kind(**{name: read_value(value, annotations[name], f"{where}.{name}") for name, value in document.items()})
