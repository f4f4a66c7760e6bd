"""One user's rounds: the acts of a load, one after the other. Runs in the process of the load, where sockets are gevent's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from locust.clients import HttpSession
from pydantic import ValidationError
from requests import Response

from peeklock.errors import PeeklockError
from peeklock.load.figures import Taken
from peeklock.load.order import Act, Order
from peeklock.redaction import redact
from peeklock.scenario.fake_values import FakeValues
from peeklock.scenario.fields import Model
from peeklock.scenario.http_request import HttpArguments
from peeklock.scenario.matchers import Context as MatchContext
from peeklock.scenario.matchers import compile_matcher
from peeklock.scenario.names import ALWAYS_DEFINED
from peeklock.scenario.sending import SendArguments, outgoing
from peeklock.scenario.values import Scope, dig, resolve
from peeklock.servicebus import Client, ServiceBusError

_LONGEST = 160
"""Characters of an error: many that differ by an id only would be many kinds."""
M = TypeVar("M", bound=Model)
Fire = Callable[..., None]
"""Locust's event of a request: `request_type`, `name`, `response_time` (ms), `response_length`, `exception`."""


class ActFailed(Exception):
    """An act did not do what it should; it was counted. The rest of its round is left out."""


class Rounds:
    """What one user does, with connections of its own."""

    def __init__(self, order: Order, user: int, session: HttpSession, fire: Fire, taken: list[Taken]) -> None:
        """`user`: its number. `taken` gets each request that was answered."""
        self._order, self._user, self._session, self._fire, self._taken = order, user, session, fire, taken
        self._fakes = FakeValues(f"{order.seed}:{user}")
        session.trust_env = False

    def do(self, index: int) -> None:
        """Do a round. Whatever fails is counted as a failure of its act, and ends the round."""
        names = {**self._order.names, "user": self._user, "index": index}
        with suppress(ActFailed):
            self._all(self._order.acts, names)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        if "_servicebus" in self.__dict__:
            self._servicebus.close()

    def _all(self, acts: Sequence[Act], names: dict[str, Any]) -> None:
        for act in acts:
            started = time.perf_counter()
            try:
                self._one(act, names)
            except ActFailed:
                raise
            except Exception as error:  # noqa: BLE001  whatever it is, one user's trouble must not end the others
                self._tell(act, act.verb.upper(), started, _sentence(error))
                raise ActFailed from None

    def _one(self, act: Act, names: dict[str, Any]) -> None:
        match act.verb:
            case "set":
                for name, raw in act.arguments.items():
                    names[name] = resolve(raw, self._scope(act, names))
            case "use":
                inner = {name: self._order.names[name] for name in ALWAYS_DEFINED & self._order.names.keys()}
                inner |= resolve(dict(act.bindings), self._scope(act, names))
                self._all(act.steps, inner)
                names |= {name: inner[name] for name in act.outputs}
            case "http":
                self._request(act, self._model(HttpArguments, act, names), names)
            case _:
                self._send(act, self._model(SendArguments, act, names), names)

    # -- requests

    def _request(self, act: Act, arguments: HttpArguments, names: dict[str, Any]) -> None:
        url, service, defaults = arguments.target, "test", self._order.headers
        if url.startswith("/"):
            service = arguments.on or self._order.service
            url = self._order.services[service] + url
        else:
            defaults = {}
        with ExitStack() as files:
            form = {key: _text(value) for key, value in arguments.form.items()}
            with self._session.request(
                arguments.method.upper(),
                url,
                name=act.title,
                catch_response=True,
                params=arguments.query or None,
                headers=arguments.sent_headers(self._order.correlation_id, defaults),
                json=arguments.json_,
                data=form or arguments.content,
                files=list(_parts(arguments, files)) or None,
                timeout=arguments.timeout,
                allow_redirects=False,
            ) as response:
                seconds = response.request_meta["response_time"] / 1000
                if response.status_code:
                    path = urlsplit(url).path
                    self._taken.append(Taken(service, arguments.method.upper(), path, response.status_code, seconds))
                wrong = self._wrong_answer(act, response, seconds, names)
                if not wrong:
                    response.success()
                    return
                response.failure(wrong)
        raise ActFailed

    def _wrong_answer(self, act: Act, response: Response, seconds: float, names: dict[str, Any]) -> str:
        error = getattr(response, "error", None)
        if not response.status_code:
            return f"no answer: {_sentence(error) if error is not None else 'nobody knows why'}"
        if act.expect is None and response.status_code >= 400:
            return f"status {response.status_code}"
        return self._judged(act, _facts(response, seconds), names) if act.expect is not None or act.capture else ""

    # -- messages

    def _send(self, act: Act, arguments: SendArguments, names: dict[str, Any]) -> None:
        started, ahead = time.perf_counter(), timedelta(seconds=self._order.ahead)
        messages = outgoing(arguments, self._order.correlation_id, lambda: datetime.now(UTC) + ahead)
        entity, wrong = str(arguments.queue or arguments.topic), ""
        try:
            self._servicebus.send(self._order.queues.get(entity, entity), messages)
        except (ServiceBusError, OSError) as error:
            wrong = _sentence(error)
        seconds = time.perf_counter() - started
        facts = {"count": len(messages), "message_ids": [message.message_id for message in messages]}
        wrong = wrong or self._judged(act, facts, names)
        self._tell(act, "SEND", time.perf_counter() - seconds, wrong)
        if wrong:
            raise ActFailed

    @cached_property
    def _servicebus(self) -> Client:
        return Client(self._order.servicebus)

    # -- what all have

    def _tell(self, act: Act, kind: str, started: float, wrong: str) -> None:
        took = (time.perf_counter() - started) * 1000
        failure = Exception(wrong) if wrong else None
        self._fire(
            request_type=kind, name=act.title, response_time=took, response_length=0, exception=failure, context={}
        )

    def _judged(self, act: Act, facts: dict[str, Any], names: dict[str, Any]) -> str:
        """Return what is not as it is expected, empty where all is; and take what is captured."""
        scope = self._scope(act, names)
        if act.expect is not None:
            matching = MatchContext(lambda raw: resolve(raw, scope), scope.folder)
            for mismatch in compile_matcher(act.expect, ()).match(facts, matching, ""):
                told = f"status {facts['status']}; " if "status" in facts else ""
                return _cut(f"{told}{mismatch.path}: expected {mismatch.expected}, actual {mismatch.actual}")
        for name, path in act.capture.items():
            names[name] = dig(facts, path if path.startswith("[") else f".{path}")
        return ""

    def _model(self, model: type[M], act: Act, names: dict[str, Any]) -> M:
        scope = self._scope(act, names)
        return model.model_validate(resolve(act.arguments, scope), context={"folder": scope.folder})

    def _scope(self, act: Act, names: Mapping[str, Any]) -> Scope:
        ahead = timedelta(seconds=self._order.ahead)
        return Scope(names, Path(act.folder), self._fakes, lambda: datetime.now(UTC) + ahead)


def _parts(arguments: HttpArguments, files: ExitStack) -> Iterator[tuple[str, Any]]:
    for name, part in arguments.files.items():
        body = part.written_out if part.file is None else files.enter_context(part.file.open("rb"))
        filename = part.filename or (name if part.file is None else part.file.name)
        yield name, (filename, body, part.content_type) if part.content_type else (filename, body)


def _facts(response: Response, seconds: float) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "status": response.status_code,
        "headers": {key.lower(): value for key, value in response.headers.items()},
        "size": len(response.content),
        "seconds": seconds,
    }
    try:
        facts["text"] = response.content.decode("utf-8")
        if "json" in facts["headers"].get("content-type", ""):
            facts["json"] = response.json()
    except (ValueError, RecursionError) as error:
        facts["json_error"] = str(error)
    return facts


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sentence(error: BaseException) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return _cut(f"{where}: {first['msg'].removeprefix('Value error, ')}, after looking up its names")
    text = error.problem if isinstance(error, PeeklockError) else str(error) or type(error).__name__
    return _cut(text)


def _cut(text: str) -> str:
    shown = redact(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
