"""Which route answers a request, and which came nearest."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from peeklock.errors import PeeklockError
from peeklock.scenario.http_standins import STARTED, HttpAnswer, PathPattern, Route, path_pattern
from peeklock.scenario.matchers import Context, Matcher, Mismatch, compile_matcher
from peeklock.standins.http.request import StandInRequest
from peeklock.standins.stand_in import Surroundings

_NEAREST = 3
"""How many routes are told when each of them lacks as little."""


class NoAnswer(PeeklockError):
    """A request that nothing in the scenario answers as it should: its case fails."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The route that answers, and its answer."""

    route: int
    answer: HttpAnswer
    parameters: Mapping[str, str]
    state: str
    """That of the stand-in after it."""


@dataclass(slots=True)
class _Known:
    route: Route
    pattern: PathPattern
    matcher: Matcher
    used: int = 0
    """How many answers of its sequence."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What keeps a route from answering: nothing, when there is no `why`."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    why: Sequence[str] = ()
    likeness: float = 0.0
    """How near it came, of routes of the same rank."""
    rank: int = 0
    """0: path and method are right."""


class Router:
    """The routes of one stand-in, how far their sequences are, and its states. Thread-safe."""

    def __init__(self, routes: Sequence[Route], surroundings: Surroundings) -> None:
        self._known = [_Known(each, path_pattern(each.path), compile_matcher(each.when or {})) for each in routes]
        self._resolve = surroundings.resolve
        self._context = Context(surroundings.resolve, surroundings.folder)
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}

    def reset(self) -> None:
        """Begin a case."""
        with self._lock:
            self._states = {}
            for each in self._known:
                each.used = 0

    def choose(self, request: StandInRequest) -> Chosen | None:
        """Return the answer to a request, and bring the stand-in into its next state; None when no route has one."""
        with self._lock:
            for index, known in enumerate(self._known):
                judged = self._judge(known, request)
                if judged.why:
                    continue
                state = known.route.state
                holder = self._holder(known.route, request, judged.parameters)
                if state is not None and state.becomes is not None:
                    self._states[holder] = state.becomes
                answer = known.route.answers[known.used]
                if known.route.sequence is not None:
                    known.used += 1
                return Chosen(index, answer, judged.parameters, self._states.get(holder, STARTED))
        return None

    def nearest(self, request: StandInRequest) -> list[tuple[int, str]]:
        """Return the routes that came nearest, the likeliest first, and what kept each from answering: those of which as little
        is wrong."""
        with self._lock:
            judged = [(index, self._judge(known, request)) for index, known in enumerate(self._known)]
        judged.sort(key=lambda each: (each[1].rank, len(each[1].why), -each[1].likeness))
        best = judged[0][1]
        alike = [each for each in judged if (each[1].rank, len(each[1].why)) == (best.rank, len(best.why))]
        return [
            (index, "; ".join(each.why[:3])) for index, each in (alike[:_NEAREST] if best.rank == 0 else judged[:1])
        ]

    def _judge(self, known: _Known, request: StandInRequest) -> _Judgement:
        route = known.route
        why, rank = [], 0
        if route.method not in ("", request.method):
            why.append(f"the method is {request.method}, not {route.method}")
            rank = 1
        found = known.pattern.regex.fullmatch(request.path)
        if found is None:
            why.append(f"the path is {request.path}, not {route.path}")
            return _Judgement(why=why, likeness=_alike(route.path, request.path), rank=2)
        parameters = {name: value.replace("%2F", "/") for name, value in found.groupdict().items()}
        mismatches = known.matcher.match(request.real(parameters), self._context, "")
        why += [_told(each) for each in mismatches]
        if route.state is not None and route.state.is_ is not None:
            now = self._states.get(self._holder(route, request, parameters), STARTED)
            if now != route.state.is_:
                why.append(f"the state is {now}, not {route.state.is_}")
        if route.sequence is not None and known.used == len(route.sequence):
            why.append(f"its sequence of {known.used} answers is used up")
        likeness = sum(_alike(each.expected, each.actual) for each in mismatches)
        return _Judgement(parameters, why, likeness, rank)

    def _holder(self, route: Route, request: StandInRequest, parameters: Mapping[str, str]) -> str:
        """Return what has the state that a route is about; empty for the stand-in as a whole."""
        of = route.state.of if route.state is not None else None
        return "" if of is None else str(self._resolve(of, request=request.view(parameters)))


def _told(mismatch: Mismatch) -> str:
    if StandInRequest.is_secret(mismatch.path):
        return f"{mismatch.path} is not as it asks"
    return f"{mismatch.path} is {mismatch.actual}, not {mismatch.expected}"


def _alike(one: Any, other: Any) -> float:
    return difflib.SequenceMatcher(None, str(one), str(other)).ratio()
