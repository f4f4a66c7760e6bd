"""The page's server: its files, what it asks for, what it does. On loopback, for whoever has the link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.redaction import redact
from peeklock.reports.html.bundle import Bundle
from peeklock.servicebus.http import HttpLimits, HttpReply, HttpRequest, HttpService
from peeklock.ui.access import Access
from peeklock.ui.by_hand import ByHand
from peeklock.ui.chosen import Chosen
from peeklock.ui.feed import Feed
from peeklock.ui.view import Document, Query, Refused, View, said

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
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
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


class LivePage(HttpService):
    """Answers for one namespace at a time. `port` has to be set once it listens."""

    def __init__(self, chosen: Chosen, by_hand: ByHand, views: Sequence[View], bundle: Bundle, access: Access) -> None:
        """`by_hand`: where the views note what was done."""
        super().__init__(HttpLimits(body=4 << 20), lambda *_, **__: None)
        self.port = 0
        self._chosen, self._access, self._by_hand = chosen, access, by_hand
        script, style = bundle.live
        self._files = {
            "/live.js": (script.read_bytes(), "text/javascript; charset=utf-8"),
            "/live.css": (style.read_bytes(), "text/css; charset=utf-8"),
        }
        self._feed = Feed(chosen.namespace)
        self._looks: dict[str, Callable[[Query], Any]] = {"page": self._page}
        self._acts: dict[str, Callable[[Document], Any]] = {
            "choose": self._choose,
            "forget": lambda _: by_hand.forget(),
        }
        for view in views:
            self._looks |= view.looks
            self._acts |= view.acts

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
            return await asyncio.to_thread(self._scenario)
        found = await asyncio.to_thread(self._work(request))
        if request.path == "/api/choose":
            self._feed.follow_anew()
        return found if isinstance(found, HttpReply) else _json(found)

    def _work(self, request: HttpRequest) -> Callable[[], Any]:
        path = "/".join(request.parts[1:])
        if request.parts[:1] == ["api"] and request.method == "GET" and path in self._looks:
            query = {name: values[0] for name, values in request.query.items()}
            return lambda: self._looks[path](query)
        if request.parts[:1] != ["api"] or request.method == "GET":
            raise Refused(404, "There is no such thing.")
        try:
            document = json.loads(request.body)
        except (ValueError, RecursionError):
            document = None
        if request.method != "POST" or not isinstance(document, dict):
            raise Refused(400, "An act is a POST with a JSON object.")
        if path not in self._acts:
            raise Refused(404, "There is no such thing.")
        return lambda: self._acts[path](document)

    def _page(self, _query: Query) -> dict[str, Any]:
        return {**self._chosen.told(), "acts": self._by_hand.texts()}

    def _choose(self, document: Document) -> dict[str, Any]:
        self._chosen.choose(said(document, "name"))
        return {}

    def _scenario(self) -> HttpReply:
        file = self._chosen.file()
        source = "" if file is None else file.read_text(encoding="utf-8")
        entities = {} if source else self._chosen.namespace().entities()
        text = self._by_hand.scenario(entities, source, "" if file is None else file.name)
        headers = (("content-disposition", 'attachment; filename="by_hand.yaml"'), *_HEADERS)
        return HttpReply(200, text.encode(), "application/yaml; charset=utf-8", headers)


def _json(document: Any, status: int = 200) -> HttpReply:
    body = json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
    return HttpReply(status, body, "application/json; charset=utf-8", _HEADERS)
