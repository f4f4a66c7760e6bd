"""The door of an HTTP stand-in: routes, and what goes into the journal."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.scenario.http_standins import Route
from peeklock.servicebus.http import HttpLimits, HttpReply, HttpRequest, HttpService
from peeklock.standins.http.answer import reply_to
from peeklock.standins.http.azure_ml import AzureMLEndpoint, Refused
from peeklock.standins.http.request import StandInRequest
from peeklock.standins.http.request_body import decoded
from peeklock.standins.http.router import NoAnswer, Router
from peeklock.standins.journal import Entry, Journal
from peeklock.standins.stand_in import Surroundings
from peeklock.trace_context import trace_view

if TYPE_CHECKING:
    from peeklock.standins.http.contract import Contract

LARGEST = 64 << 20
"""Bytes of a request, before and after its encoding is undone."""
_LONGEST_ANSWER = 1 << 20
"""Bytes of an answer that the journal shows."""


class HttpDoor(HttpService):
    """Answers by the routes of a stand-in; what neither they nor a contract know is 404, and a problem in the journal."""

    cancels = True

    def __init__(
        self, name: str, routes: Sequence[Route], journal: Journal, surroundings: Surroundings,
        where: Callable[[int], str], contract: Contract | None = None,
        endpoint: AzureMLEndpoint | None = None, host: str | None = None,
    ) -> None:  # fmt: skip
        """`where(3)` is the place in the scenario file of the fourth route."""
        super().__init__(HttpLimits(body=LARGEST), lambda *_, **__: None, called=() if host is None else (host,))
        self._name, self._routes, self._journal = name, routes, journal
        self._surroundings, self._where = surroundings, where
        self._contract, self._endpoint = contract, endpoint
        self.router = Router(routes, surroundings)

    def refusal(self, status: int, reason: str) -> HttpReply:
        """Say no to what is no request of the service's."""
        return HttpReply(status, f"{reason}\n".encode(), "text/plain; charset=utf-8")

    async def answer(self, request: HttpRequest) -> HttpReply:
        """Answer one request, and keep it in the journal."""
        life, began = self._journal.life, time.monotonic()
        asked = StandInRequest(decoded(request, LARGEST))
        seen: dict[str, Any] = {}
        """What the journal knows besides the request."""
        problem = ""
        try:
            if self._endpoint is None:
                reply = await self._routed(asked, seen)
            else:
                asked = self._endpoint.admitted(asked)
                async with self._endpoint.turn():
                    reply = await self._routed(asked, seen)
        except Refused as refused:
            seen |= {**refused.told, "error": refused.code}
            reply = refused.reply()
        except NoAnswer as missing:
            problem = redact(str(missing))
            reply = self.refusal(500 if "route" in seen else 404, redact(missing.problem))
        except asyncio.CancelledError:  # the client has gone
            self._keep(life, asked, {**seen, "hung_up": True}, "", began)
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the client and the case are told
            told = str(error) if isinstance(error, PeeklockError) else f"unforeseen {type(error).__name__}: {error}"
            problem = redact(told)
            reply = self.refusal(500, problem)
        self._keep(life, asked, {**seen, "status": reply.status, **_shown(reply)}, problem, began)
        return reply

    def _keep(self, life: int, request: StandInRequest, seen: Mapping[str, Any], problem: str, began: float) -> None:
        how = seen.get("error") or (f"routes[{seen['route']}]" if "route" in seen else "")
        outside = next(iter(seen.get("contract", ())), "")
        how += (
            f"outside its contract: {outside}" if outside and not how else ", outside its contract" if outside else ""
        )
        how = how or ("no route" if problem or self._contract is None else "by its contract")
        summary = f"{request.method} {request.path} {seen.get('status', 'hung up')} {how}"
        view = {**request.view(seen.get("parameters", {})), **trace_view(request.http.headers), **seen}
        self._journal.add(life, Entry(time.time(), view, summary, problem, time.monotonic() - began))

    async def _routed(self, asked: StandInRequest, seen: dict[str, Any]) -> HttpReply:
        """Return what the routes or the contract say. Raises `NoAnswer`."""
        chosen = self.router.choose(asked)
        wrong = self._contract.request_errors(asked) if self._contract is not None else []
        if self._contract is not None:
            seen["contract"] = wrong
            if (operation := self._contract.operation(asked.method, asked.path)) is not None:
                seen["operation"] = operation
        if chosen is None:
            reply = self._by_contract(asked, wrong)
        else:
            seen |= {"route": chosen.route, "state": chosen.state, "parameters": dict(chosen.parameters)}
            reply = await self._answered(asked, chosen.parameters, chosen.route, chosen.answer)
            if chosen.answer.delay is not None:
                await _pass(chosen.answer.delay)
        if self._endpoint is not None:
            seen["model_status"] = reply.status
            reply = self._endpoint.dressed(asked, reply)
        if self._contract is not None and not (wrong and chosen is None):  # a refusal in the contract's name is ours
            seen["contract"] = [*wrong, *self._contract.answer_errors(asked.method, asked.path, reply)]
        return reply

    def _by_contract(self, request: StandInRequest, wrong: Sequence[str]) -> HttpReply:
        """Answer what no route does by the contract's examples. Raises `NoAnswer`."""
        if self._contract is None or self._contract.operation(request.method, request.path) is None:
            raise self._unknown(request)
        if wrong:
            return self.refusal(400, "\n".join(wrong))
        if (example := self._contract.example(request.method, request.path)) is None:
            text = f"no route of {self._name} answers {request.method} {request.path}, and the contract has no example of it"
            raise NoAnswer(text, where=self._contract.file.name, fix="add a route, or an example to the contract")
        return example

    async def _answered(
        self, request: StandInRequest, parameters: Mapping[str, str], route: int, answer: Any
    ) -> HttpReply:
        try:
            return await reply_to(request, parameters, answer, self._surroundings)
        except PeeklockError as error:
            raise NoAnswer(
                f"routes[{route}] of {self._name} ({self._routes[route].title}) has no answer: {error.problem}",
                where=self._where(route),
                expected=error.expected,
                actual=error.actual,
                fix=error.fix,
            ) from error

    def _unknown(self, request: StandInRequest) -> NoAnswer:
        if not self._routes:
            text = f"the contract of {self._name} knows no {request.method} {request.path}"
            return NoAnswer(text, fix="correct the request, or the contract")
        nearest = self.router.nearest(request)
        told = "; or ".join(f"routes[{index}] ({self._routes[index].title}): {why}" for index, why in nearest)
        return NoAnswer(
            f"no route of {self._name} answers {request.method} {request.path}",
            where=self._where(nearest[0][0]),
            fix=f"add a route; the nearest is {told}",
        )


async def _pass(seconds: float) -> None:
    """Let time pass, unless the client goes or the stand-in is closed."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    timer = loop.call_later(seconds, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


def _shown(reply: HttpReply) -> dict[str, Any]:
    """Return the answer as the journal shows it: a value of JSON, or a text."""
    if not reply.body or len(reply.body) > _LONGEST_ANSWER:
        return {}
    try:
        text = reply.body.decode()
    except UnicodeDecodeError:
        return {}
    try:
        return {"answer": json.loads(text) if "json" in reply.kind else text}
    except (ValueError, RecursionError):
        return {"answer": text}
