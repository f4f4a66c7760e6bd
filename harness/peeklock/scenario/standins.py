"""Checks the rules of stand-ins: their matchers, and that each can be reached."""

from __future__ import annotations

from typing import Any

from peeklock.scenario.document import DataPath, Document
from peeklock.scenario.errors import Problem, suggestion
from peeklock.scenario.matchers import MatcherInvalid, compile_matcher
from peeklock.scenario.topology import AnswerRule, Stack

REQUEST_KEYS = (
    "api", "api_version", "body", "caller", "deployment", "images", "instructions", "operation", "sent_as", "stream", "text",
)  # fmt: skip
"""What `when` sees of a request to Azure OpenAI."""
JOURNAL_KEYS = (*REQUEST_KEYS, "answer", "error", "fault", "finish_reason", "method", "path", "rule", "status")
"""What `requests` shows of it."""
BLOB_KEYS = (
    "blob", "caller", "container", "error", "lacks", "method", "operation", "path", "sent_as", "status",
)  # fmt: skip
"""What `requests` shows of one to the blob door."""


def standin_problems(stack: Stack, document: Document) -> list[Problem]:
    """Return what is wrong with the rules of a file's stand-ins."""
    if stack.openai is None:
        return []
    return [
        problem
        for name, deployment in stack.openai.deployments.items()
        for problem in _of_rules(deployment.answers, ("stack", "openai", "deployments", name, "answers"), document)
    ]


def _of_rules(rules: list[AnswerRule], path: DataPath, document: Document) -> list[Problem]:
    problems: list[Problem] = []
    for_all: int | None = None
    written = _written(document, path) if rules else []
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
        problems += _of_when(rule, (*place, "when"), document)
    return problems


def _of_when(rule: AnswerRule, path: DataPath, document: Document) -> list[Problem]:
    when = rule.when or {}
    try:
        compile_matcher(when)
    except MatcherInvalid as error:
        at = (*path, *error.path)
        return [document.problem(at, error.problem, expected=error.expected, fix=error.fix, at_key=error.at_key)]
    return [
        document.problem(
            (*path, key),
            f'a request has no "{key}"',
            expected="one of " + ", ".join(REQUEST_KEYS),
            fix=suggestion(key, REQUEST_KEYS) or "write body: {…} for a part of the body",
            at_key=True,
        )
        for key in when
        if not key.startswith("$") and key not in REQUEST_KEYS
    ]


def _written(document: Document, path: DataPath) -> Any:
    value = document.data
    for part in path:
        value = value[part]
    return value
