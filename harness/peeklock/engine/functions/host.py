"""The process in which functions of the user's run. Standard library only, until it loads what the user wrote.

Reads a request a line on descriptor 3: `{"file", "function", "inputs"}`. Answers a line on descriptor 4: `{"value"}`, or
`{"error", "text"}` where `error` is `load`, `missing`, `assertion`, `raised`, `exit` or `value`.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import importlib.util
import json
import os
import sys
import traceback
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

_REQUESTS, _ANSWERS = 3, 4


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"peeklock_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _plain(value: Any) -> Any:
    """Return what JSON holds for a value that it does not know. Raises `TypeError`."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, uuid.UUID | Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "tolist"):  # numpy
        return value.tolist()
    raise TypeError(f"JSON cannot hold a {type(value).__name__}")


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    path = Path(request["file"])
    try:
        module = _load(path)
    except SystemExit as error:
        return {"error": "exit", "text": f"sys.exit({error.code!r}) while {path.name} was loaded"}
    except BaseException as error:  # noqa: BLE001  whatever a user's file raises is told
        return {"error": "load", "text": _told(error, path)}
    function = getattr(module, request["function"], None)
    if not callable(function):
        return {"error": "missing", "text": ", ".join(sorted(_functions(module)))}
    try:
        value = function(**request["inputs"])
    except AssertionError as error:
        return {"error": "assertion", "text": str(error) or _told(error, path)}
    except SystemExit as error:
        return {"error": "exit", "text": f"sys.exit({error.code!r})"}
    except BaseException as error:  # noqa: BLE001  as above
        return {"error": "raised", "text": _told(error, path)}
    return {"value": value}


def _functions(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    ]


def _told(error: BaseException, path: Path) -> str:
    """Return the error with the line of the user's file where it came from."""
    told = "".join(traceback.format_exception_only(error)).strip()
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{told} ({path.name}:{lines[-1]})" if lines and lines[-1] else told


def _with_bytes(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["$bytes"]) if value.keys() == {"$bytes"} else value


def _encoded(answer: dict[str, Any]) -> bytes:
    try:
        return json.dumps(answer, default=_plain).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        return json.dumps({"error": "value", "text": str(error)}).encode() + b"\n"


def main() -> None:
    """Its argument: the project's root, whose modules functions may import."""
    for descriptor in (_REQUESTS, _ANSWERS):
        os.set_inheritable(descriptor, False)
    sys.path[:0] = sys.argv[1:2]
    with open(_REQUESTS, "rb") as requests:
        for line in requests:
            answer = memoryview(_encoded(_answer(json.loads(line, object_hook=_with_bytes))))
            sys.stdout.flush()
            while answer:
                answer = answer[os.write(_ANSWERS, answer) :]


if __name__ == "__main__":
    main()
