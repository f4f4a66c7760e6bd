"""From what a route says to what goes over the wire."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.scenario.http_standins import HttpAnswer
from peeklock.scenario.matchers import show
from peeklock.scenario.values import is_template, references
from peeklock.servicebus.http import HttpReply
from peeklock.standins.http.request import StandInRequest
from peeklock.standins.http.router import NoAnswer
from peeklock.standins.http.streamed import pieces_of, streamed
from peeklock.standins.stand_in import Surroundings

FUNCTION_SECONDS = 60.0
"""How long a function has for its answer."""
_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
_WHOLE = frozenset({"status", "headers", "json", "text"})
"""The keys of a whole answer, as a function may return it."""


async def reply_to(
    request: StandInRequest, parameters: Mapping[str, str], answer: HttpAnswer, surroundings: Surroundings
) -> HttpReply:
    """Return the reply that an answer makes of a request. Raises `NoAnswer`."""
    view = request.view(parameters)

    def resolved(value: Any) -> Any:
        return surroundings.resolve(value, request=view)

    try:
        headers = {name: str(resolved(value)) for name, value in answer.headers.items()}
        match answer.body:
            case "python":
                return await _from_function(request.for_function(parameters), answer, headers, surroundings)
            case "json":
                return _reply(answer.status, headers, _json(resolved(answer.json_)), _JSON)
            case "text":
                return _reply(answer.status, headers, str(resolved(answer.text)).encode(), _TEXT)
            case "file":
                assert answer.file is not None
                content = await asyncio.to_thread(answer.file.read_bytes)
                return _reply(answer.status, headers, content, _kind(answer.file))
            case "template":
                assert answer.template is not None
                text = await asyncio.to_thread(answer.template.read_text, encoding="utf-8")
                return _reply(answer.status, headers, str(resolved(text)).encode(), _kind(answer.template))
            case "chunks" | "events":
                return streamed(
                    _reply(answer.status, headers, kind=_kind_of(answer)), pieces_of(answer, resolved), request.method
                )
            case _:
                return _reply(answer.status, headers)
    except (OSError, UnicodeDecodeError) as error:
        raise NoAnswer(f"its file cannot be read: {error}", fix="correct the file") from error


def fixed(answer: HttpAnswer) -> HttpReply | None:
    """Return the reply of an answer that depends on nothing; None for others. Raises `OSError`."""
    if any(is_template(value) for value in answer.headers.values()):
        return None
    match answer.body:
        case "json" if not list(references(answer.json_)):
            return _reply(answer.status, answer.headers, _json(answer.json_), _JSON)
        case "text" if not list(references(answer.text)):
            return _reply(answer.status, answer.headers, str(answer.text).encode(), _TEXT)
        case "file" if answer.file is not None:
            return _reply(answer.status, answer.headers, answer.file.read_bytes(), _kind(answer.file))
        case "":
            return _reply(answer.status, answer.headers)
        case _:
            return None


async def _from_function(
    inputs: dict[str, Any], answer: HttpAnswer, headers: Mapping[str, str], surroundings: Surroundings
) -> HttpReply:
    assert answer.python is not None
    file, _, function = answer.python.rpartition(":")
    call = surroundings.functions.call
    said = await asyncio.to_thread(call, Path(file), function, {"request": inputs}, FUNCTION_SECONDS)
    status = answer.status
    if isinstance(said, dict) and isinstance(said.get("status"), int) and said.keys() <= _WHOLE:
        status = said["status"]
        own = said.get("headers") or {}
        if not 200 <= status <= 599 or not isinstance(own, dict) or {"json", "text"} <= said.keys():
            raise NoAnswer(
                f"{function} returned no answer",
                expected="{status: 200 to 599, headers: a mapping, json or text}",
                actual=show(said),
                fix=f"correct {function}",
            )
        headers = {**headers, **{str(name): str(value) for name, value in own.items()}}
        if "json" in said:
            return _reply(status, headers, _json(said["json"]), _JSON)
        return _reply(status, headers, str(said["text"]).encode(), _TEXT) if "text" in said else _reply(status, headers)
    if isinstance(said, str):
        return _reply(status, headers, said.encode(), _TEXT)
    return _reply(status, headers, _json(said), _JSON)


def _reply(status: int, headers: Mapping[str, str], body: bytes = b"", kind: str = "") -> HttpReply:
    given = next((value for name, value in headers.items() if name.lower() == "content-type"), kind)
    others = tuple((name, value) for name, value in headers.items() if name.lower() != "content-type")
    return HttpReply(status, body, given, others)


def _kind_of(answer: HttpAnswer) -> str:
    if answer.events is not None:
        return "text/event-stream"
    return _TEXT if any(each.text is not None for each in answer.chunks or ()) else "application/x-ndjson"


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise PeeklockError(f"the answer is not JSON: {error}") from None


def _kind(file: Path) -> str:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
