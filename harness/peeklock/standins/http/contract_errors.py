"""What is wrong with the file of a contract, and in which line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.scenario.document import DataPath, parse
from peeklock.scenario.errors import ScenarioInvalid


class ContractInvalid(PeeklockError):
    """A file that is no OpenAPI contract."""


def unreadable(file: Path, error: Exception) -> ContractInvalid:
    """Say what keeps a file from being read as YAML or JSON."""
    try:
        parse(file)
    except ScenarioInvalid as invalid:
        problem = invalid.problems[0]
        line = f"line {problem.span.line}, " if problem.span else ""
        return ContractInvalid(f"{file.name} cannot be read: {line}{problem.message}", fix=problem.fix or _WRITE)
    return ContractInvalid(f"{file.name} cannot be read: {' '.join(str(error).split())}", fix=_WRITE)


def remote(file: Path, written: Any) -> ContractInvalid | None:
    """Say which reference leads to another machine; None when none does."""
    for path, ref in references(written):
        if "://" in ref and not ref.startswith("file://"):
            return ContractInvalid(
                f"{file.name} is no contract to work with: {line_in(file, path)}it refers to {ref}, and nothing is fetched",
                fix="keep a copy beside it, and refer to that",
            )
    return None


def invalid(file: Path, written: Any, error: Exception) -> ContractInvalid:
    """Say what of a file is not as OpenAPI wants it, from what its reader raised."""
    wanted = getattr(error, "ref", None)
    if isinstance(wanted, str):  # its text would be the whole contract
        path, ref = next((each for each in references(written) if each[1].endswith(wanted)), ((), wanted))
        return ContractInvalid(
            f"{file.name} is no OpenAPI contract: {line_in(file, path)}nothing is at {ref}",
            fix="correct the reference, or add what it refers to",
        )
    nearest = _nearest(error)
    path = tuple(getattr(nearest[0], "absolute_path", ()))
    text = f"{file.name} is no OpenAPI contract: {line_in(file, path)}{first(error)}"
    return ContractInvalid(text, fix="correct the contract")


def references(value: Any, path: DataPath = ()) -> Iterator[tuple[DataPath, str]]:
    """Yield where each `$ref` stands, and what it refers to."""
    if isinstance(value, Mapping):
        if isinstance(found := value.get("$ref"), str):
            yield (*path, "$ref"), found
        for key, child in value.items():
            yield from references(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from references(child, (*path, index))


def first(error: Exception) -> str:
    """Return the first line of an error, and where in the data it is."""
    found = _nearest(error)
    place = inside(getattr(found[0], "absolute_path", ())).lstrip(".")
    if len(found) > 1:  # one error for each kind of thing that might stand here
        allowed = [str(value) for each in found for value in getattr(each, "validator_value", ())]
        message = f"{getattr(found[0], 'instance', '')!r} is none of {', '.join(dict.fromkeys(allowed))}"
    else:
        message = (str(getattr(found[0], "message", found[0])).splitlines() or [type(found[0]).__name__])[0]
    return f"{place}: {message}" if place else message


def _nearest(error: Any) -> list[Any]:
    """Return the error behind an error that says that none of several kinds fits: of the likeliest kind."""
    while nearer := [each for each in getattr(error, "context", None) or () if "$ref" not in each.message]:
        error = min(nearer, key=lambda each: (-len(each.absolute_path), each.message))
        same = [each for each in nearer if each.absolute_path == error.absolute_path and each.validator == "enum"]
        if len(same) > 1:
            return same
    return [error]


def inside(path: Iterable[str | int]) -> str:
    """Write a path into data as `.paths./score.post[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def line_in(file: Path, path: DataPath) -> str:
    """Return `line 7, ` for a part of a file; nothing where it cannot be told."""
    try:
        return f"line {parse(file).key_span(path).line}, " if path else ""
    except ScenarioInvalid:  # it is longer than a scenario may be
        return ""


_WRITE = "write YAML or JSON"
