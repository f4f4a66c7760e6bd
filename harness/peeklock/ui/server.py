"""The page's server: its files, what it asks for, what it does. On loopback, for whoever has the link."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from peeklock import __version__
from peeklock.durations import parse_duration
from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.reports.html.bundle import Bundle
from peeklock.servicebus import RecordingInvalid
from peeklock.servicebus.gateway.faults import KINDS
from peeklock.servicebus.http import HttpLimits, HttpReply, HttpRequest, HttpService
from peeklock.ui.access import Access
from peeklock.ui.acts import Acts
from peeklock.ui.feed import Feed
from peeklock.ui.namespace import Namespace
from peeklock.ui.warm_stack import WarmStack

_MOST_AT_ONCE = 100
_MOST_TIMES = 1_000
_KINDS = [
    {"kind": kind, "summary": each.summary, "at_once": each.at_once, "counted": each.counted}
    for kind, each in KINDS.items()
]
_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Peeklock</title>
<link rel="stylesheet" href="/live.css">
<div id="app"><noscript>This page needs JavaScript.</noscript></div>
<script src="/live.js"></script>
</html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: tuple[tuple[str, str], ...] = (
    ("content-security-policy", _POLICY),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
)


class Refused(PeeklockError):
    """An answer other than 200."""

    def __init__(self, status: int, problem: str, fix: str = "") -> None:
        super().__init__(problem, fix=fix)
        self.status = status


class LivePage(HttpService):
    """Answers for one namespace. `port` has to be set once it listens."""

    def __init__(self, namespace: Namespace, bundle: Bundle, access: Access, stack: WarmStack | None = None) -> None:
        """`stack`: of the project that the namespace belongs to, if it belongs to one."""
        super().__init__(HttpLimits(body=4 << 20), lambda *_, **__: None)
        self.port = 0
        self._namespace, self._access, self._stack = namespace, access, stack
        script, style = bundle.live
        self._files = {
            "/live.js": (script.read_bytes(), "text/javascript; charset=utf-8"),
            "/live.css": (style.read_bytes(), "text/css; charset=utf-8"),
        }
        self._feed = Feed(namespace)
        self._acts = Acts()

    async def answer(self, request: HttpRequest) -> HttpReply:
        """Answer one request."""
        try:
            return await self._answer(request)
        except Refused as refused:
            return self.refusal(refused.status, refused.problem, refused.fix)
        except PeeklockError as error:
            more = " ".join(part for part in (error.actual, error.expected and f"Expected {error.expected}.") if part)
            return self.refusal(409, f"{error.problem}. {more}" if more else error.problem, error.fix)
        except (ValueError, OSError) as error:
            return self.refusal(409, str(error))

    def refusal(self, status: int, reason: str, fix: str = "") -> HttpReply:
        """Say no as JSON."""
        return _json({"error": redact(reason), "fix": redact(fix)}, status)

    async def _answer(self, request: HttpRequest) -> HttpReply:
        if (reason := self._access.why_foreign(request, self.port)) is not None:
            raise Refused(403, reason)
        if request.method == "GET" and request.path == "/" and "token" in request.query:
            if not self._access.is_token(request.query["token"][0]):
                raise Refused(401, "This link is not that of the page.", "open the link that `peeklock ui` has printed")
            headers = (("location", "/"), ("set-cookie", self._access.cookie(self.port)), *_HEADERS)
            return HttpReply(303, headers=headers, kind="")
        if not self._access.lets_in(request, self.port):
            raise Refused(401, "This browser has not been let in.", "open the link that `peeklock ui` has printed")
        if request.method == "GET" and request.path == "/":
            return HttpReply(200, _PAGE, "text/html; charset=utf-8", _HEADERS)
        if request.method == "GET" and request.path == "/favicon.ico":
            return HttpReply(204, kind="", headers=_HEADERS)
        if request.method == "GET" and request.path in self._files:
            return HttpReply(200, *self._files[request.path], _HEADERS)
        if request.method == "GET" and request.path == "/api/feed":
            return HttpReply(200, b"", "text/event-stream", _HEADERS, self._feed.stream)
        if request.method == "GET" and request.path == "/api/scenario":
            text = await asyncio.to_thread(lambda: self._acts.scenario(self._namespace.entities()))
            headers = (("content-disposition", 'attachment; filename="by_hand.yaml"'), *_HEADERS)
            return HttpReply(200, text.encode(), "application/yaml; charset=utf-8", headers)
        work = self._looked(request) if request.method == "GET" else self._acted(request)
        return _json(await asyncio.to_thread(work))

    def _looked(self, request: HttpRequest) -> Callable[[], Any]:
        query = {name: values[0] for name, values in request.query.items()}
        match request.parts:
            case ["api", "entities"]:
                return lambda: {
                    **self._namespace.entities(), "address": self._namespace.address, "version": __version__,
                    "acts": self._acts.texts(), "stack": self._stack is not None,
                }  # fmt: skip
            case ["api", "messages"]:
                first, most = _whole(query, "from", 0), min(_whole(query, "most", 50), _MOST_AT_ONCE)
                return lambda: self._namespace.peek(_said(query, "entity"), first, most)
            case ["api", "history"]:
                return lambda: self._namespace.history(_said(query, "message_id"))
            case ["api", "faults"]:
                return lambda: {"kinds": _KINDS, "faults": self._namespace.faults()}
            case ["api", "stack"] if self._stack is not None:
                return self._stack.status
            case ["api", "log"] if (stack := self._stack) is not None:
                return lambda: stack.log(_said(query, "name"))
        raise Refused(404, "There is no such thing.")

    def _acted(self, request: HttpRequest) -> Callable[[], Any]:
        try:
            document = json.loads(request.body)
        except (ValueError, RecursionError):
            document = None
        if request.method != "POST" or not isinstance(document, dict):
            raise Refused(400, "An act is a POST with a JSON object.")
        match request.parts:
            case ["api", "send"]:
                return lambda: self._send(document)
            case ["api", "resubmit"]:
                return lambda: self._resubmit(_said(document, "entity"), document.get("sequences"))
            case ["api", "purge"]:
                return lambda: self._purge(_said(document, "entity"))
            case ["api", "fault", "begin"]:
                return lambda: self._begin_fault(document)
            case ["api", "fault", "end"]:
                return lambda: self._end_fault(_said(document, "id"))
            case ["api", "restart"] if self._stack is not None:
                return lambda: self._restart(_said(document, "name"))
            case ["api", "forget"]:
                return self._acts.forget
        raise Refused(404, "There is no such thing.")

    def _send(self, document: dict[str, Any]) -> dict[str, Any]:
        entity, facts = _said(document, "entity"), document.get("message")
        times = document.get("times", 1)
        if not isinstance(facts, dict):
            raise Refused(400, "message: expected a JSON object")
        if not isinstance(times, int) or not 1 <= times <= _MOST_TIMES:
            raise Refused(400, f"times: expected a number from 1 to {_MOST_TIMES}")
        try:
            later = document.get("scheduled_in")
            seconds = parse_duration(later) if later else None
        except ValueError as error:
            raise Refused(400, f"scheduled in: {error}", "write 30s, 10m or 1d") from None
        if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
            raise Refused(400, "scheduled in: expected a duration such as 30s, 10m or 1d")
        try:
            self._namespace.send(entity, facts, seconds, times)
        except RecordingInvalid as error:
            raise Refused(
                400, f"{error.problem}; expected {error.expected}" if error.expected else error.problem
            ) from None
        self._acts.sent(entity, facts, later or None, times, self._namespace.entities())
        return {"sent": times}

    def _resubmit(self, entity: str, sequences: Any) -> dict[str, Any]:
        if sequences is not None and not (isinstance(sequences, list) and all(type(each) is int for each in sequences)):
            raise Refused(400, "sequences: expected a list of sequence numbers")
        done = self._namespace.resubmit(entity, sequences)
        self._acts.noted(f"resubmitted {done['sent']} dead letters of {entity} to {done['to']}")
        return done

    def _purge(self, path: str) -> dict[str, Any]:
        count = self._namespace.purge(path)
        self._acts.noted(f"purged {count} messages of {path}")
        return {"purged": count}

    def _begin_fault(self, document: dict[str, Any]) -> dict[str, Any]:
        kind, entity, times = _said(document, "fault"), document.get("entity", ""), document.get("times")
        if kind not in KINDS:
            raise Refused(400, f"fault: {kind!r} is none", f"use one of {', '.join(KINDS)}")
        if not isinstance(entity, str):
            raise Refused(400, "entity: expected a text")
        if times is not None and (type(times) is not int or not 1 <= times <= _MOST_TIMES):
            raise Refused(400, f"times: expected a number from 1 to {_MOST_TIMES}, or nothing")
        struck = self._namespace.begin_fault(kind, entity, times)
        self._acts.noted(f"began the fault {kind} of {entity or 'the whole namespace'}")
        return {"struck": struck}

    def _end_fault(self, fault: str) -> dict[str, Any]:
        self._namespace.end_fault(fault)
        self._acts.noted(f"cleared {fault}")
        return {"cleared": fault}

    def _restart(self, name: str) -> dict[str, Any]:
        assert self._stack is not None
        done = self._stack.restart(name)
        self._acts.noted(f"started {name} anew")
        return done


def _said(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"{name}: expected a text")
    return value


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and int(text) < 2**63):
        raise Refused(400, f"{name}: expected a whole number from 0")
    return int(text)


def _json(document: Any, status: int = 200) -> HttpReply:
    body = json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
    return HttpReply(status, body, "application/json; charset=utf-8", _HEADERS)
