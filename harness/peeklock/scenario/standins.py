"""Checks the rules of stand-ins: their matchers, and that each can be reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from peeklock.scenario.document import DataPath, Document, written_at
from peeklock.scenario.errors import Problem, suggestion
from peeklock.scenario.http_standins import HttpStandIn, Route, path_pattern, states
from peeklock.scenario.matchers import MatcherInvalid, compile_matcher
from peeklock.scenario.topology import AnswerRule, Stack

REQUEST_KEYS = (
    "api", "api_version", "body", "caller", "deployment", "images", "instructions", "operation", "sent_as", "stream", "text",
)  # fmt: skip
"""What `when` sees of a request to Azure OpenAI."""
JOURNAL_KEYS = (
    *REQUEST_KEYS,
    "answer",
    "error",
    "fault",
    "finish_reason",
    "method",
    "path",
    "rule",
    "status",
    "trace_id",
)
"""What `requests` shows of it."""
BLOB_KEYS = (
    "blob", "caller", "container", "error", "lacks", "method", "operation", "path", "sent_as", "status", "trace_id",
)  # fmt: skip
"""What `requests` shows of one to the blob door."""


HTTP_REQUEST_KEYS = ("body", "headers", "method", "parameters", "path", "query", "sha256", "size")
"""What `when` sees of a request to any HTTP stand-in."""
_AZURE_ML_KEYS = ("caller", "deployment", "sent_as")


def http_request_keys(standin: HttpStandIn) -> tuple[str, ...]:
    """Return what `when` sees of a request to an HTTP stand-in."""
    return (*HTTP_REQUEST_KEYS, *_AZURE_ML_KEYS) if standin.kind == "azure_ml" else HTTP_REQUEST_KEYS


def http_keys(standin: HttpStandIn) -> tuple[str, ...]:
    """Return what `requests` shows of one."""
    own = ("error", "model_status") if standin.kind == "azure_ml" else ()
    return (*http_request_keys(standin), "answer", "contract", "hung_up", "route", "state", "status", "trace_id", *own)


def standin_problems(stack: Stack, services: Collection[str], document: Document) -> list[Problem]:
    """Return what is wrong with the rules of a file's stand-ins."""
    deployments = stack.openai.deployments if stack.openai is not None else {}
    problems = [
        problem
        for name, deployment in deployments.items()
        for problem in _of_rules(deployment.answers, ("stack", "openai", "deployments", name, "answers"), document)
    ]
    for name, standin in stack.http.items():
        path: DataPath = ("stack", "http", name)
        if name in services:
            text = f'"{name}" is a service and an HTTP stand-in'
            problems.append(document.problem(path, text, fix="give one of them another name", at_key=True))
        if standin.host is not None and stack.production_names[standin.host] != name:
            text = f"{standin.host} leads to {stack.production_names[standin.host]} already"
            problems.append(document.problem((*path, "host"), text, fix="a host leads to one place"))
        problems += route_problems(standin, (*path, "routes"), document)
    return problems


def route_problems(standin: HttpStandIn, path: DataPath, document: Document) -> list[Problem]:
    """Return what is wrong with the routes at `path`: one that is never reached, a matcher that is none …"""
    routes = standin.routes
    problems: list[Problem] = []
    written = written_at(document, path)
    if not isinstance(written, list) or len(written) != len(routes):
        return []  # one of them is wrong and was left out: the others no longer stand where they are counted
    for index, route in enumerate(routes):
        here = (*path, index)
        if (earlier := route.unreached(routes[:index])) is not None:
            text = f"routes[{index}] ({route.title}) is never reached: routes[{earlier}] ({routes[earlier].title}) "
            text += "answers all of its requests"
            fix = "give the earlier one a `when`, a `state` or a `sequence`, or move it behind this one"
            problems.append(document.problem(here, text, fix=fix))
        problems += _of_when(route.when or {}, (*here, "when"), document, http_request_keys(standin))
        problems += _of_parts(route, here, document)
        known = list(dict.fromkeys(states(standin)))
        if route.state is not None and route.state.is_ is not None and route.state.is_ not in known:
            text = f'no route brings the stand-in into the state "{route.state.is_}"'
            fix = suggestion(route.state.is_, known) or f"say `becomes: {route.state.is_}` at the route that does"
            at = (*here, "state", "is")
            problems.append(document.problem(at, text, expected="one of " + ", ".join(known), fix=fix))
    return problems


def _of_parts(route: Route, path: DataPath, document: Document) -> list[Problem]:
    """Return what is wrong with the parameters and the headers that a route's `when` names."""
    problems = []
    when, parameters = route.when or {}, path_pattern(route.path).parameters
    for name in _keys(when.get("parameters")):
        if name not in parameters:
            text = f'the path {route.path} has no parameter "{name}"'
            expected = "one of " + ", ".join(parameters) if parameters else "the path has none"
            fix = (
                suggestion(name, parameters) or f"write {{{name}}} into the path, or match the query with query: {{…}}"
            )
            at = (*path, "when", "parameters", name)
            problems.append(document.problem(at, text, expected=expected, fix=fix, at_key=True))
    for name in _keys(when.get("headers")):
        if name != name.lower():
            at = (*path, "when", "headers", name)
            text = f'no header is called "{name}": they are in lower case here'
            problems.append(document.problem(at, text, fix=f"write {name.lower()}", at_key=True))
    return problems


def _keys(value: Any) -> list[str]:
    return [key.removesuffix("?") for key in value if not key.startswith("$")] if isinstance(value, dict) else []


def _of_rules(rules: list[AnswerRule], path: DataPath, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    for_all: int | None = None
    written = written_at(document, path) if rules else []
    if isinstance(written, list) and len(written) != len(rules):
        return []  # one of them is wrong and was left out: the others no longer stand where they are counted
    for index, rule in enumerate(rules):
        if for_all is not None:
            text = f"answers[{index}] is never reached: answers[{for_all}] has no `when`, so it answers every request"
            problems.append(
                document.problem((*path, index), text, fix="give the earlier one a `when`, or move it to the end")
            )
        elif not rule.when and rule.sequence is None:
            for_all = index
        place = (*path, index) if isinstance(written, list) else path
        problems += _of_when(rule.when or {}, (*place, "when"), document, REQUEST_KEYS)
    return problems


def _of_when(when: Mapping[str, Any], path: DataPath, document: Document, keys: Sequence[str]) -> list[Problem]:
    try:
        compile_matcher(when)
    except MatcherInvalid as error:
        at = (*path, *error.path)
        return [document.problem(at, error.problem, expected=error.expected, fix=error.fix, at_key=error.at_key)]
    return [
        document.problem(
            (*path, key),
            f'a request has no "{key}"',
            expected="one of " + ", ".join(keys),
            fix=suggestion(key, keys) or "write body: {…} for a part of the body",
            at_key=True,
        )
        for key in when
        if not key.startswith("$") and key not in keys
    ]
