"""A draft as the text of a scenario file, with a comment at each line that only its owner can finish."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .draft import Draft, DraftService

CHANGE = "# change: "
"""What begins the comment of a line that its owner has to look at."""
_PLAIN = re.compile(r"\d+(?:ms|s|m|h|d)|(?:[A-Za-z_]|/\w|\.{1,2}/|--?[A-Za-z])(?:[\w./@-]|:(?=\w))*")
_WORDS = {"true", "false", "null"}
_MOST_REQUESTS = 5


def scenario_text(draft: Draft, path: Path) -> str:
    """Return the text of a scenario that stands at `path`."""
    lines = ["scenario: My first scenario", "timeout: 60s"]
    lines += _stack(draft, path.parent)
    lines += _services(draft, path.parent)
    lines += _cases(draft)
    return "\n".join(lines) + "\n"


def _stack(draft: Draft, folder: Path) -> Iterator[str]:
    if not draft.parts:
        yield f"stack: {{}} {CHANGE}postgres, blobs, servicebus: what it stands on"
        return
    yield "stack:"
    if "postgres" in draft.parts:
        yield f"  postgres: {_flow({'migrations': _relative(draft.migrations, folder)} if draft.migrations else {})}"
    if "blobs" in draft.parts:
        yield f"  blobs: {_flow({'containers': draft.containers} if draft.containers else {})}"
    if "servicebus" not in draft.parts:
        return
    yield "  servicebus:"
    if draft.config is not None:
        yield f"    config: {_flow(_relative(draft.config, folder))}"
    else:
        for kind, entities in (("queues", draft.queues), ("topics", draft.topics)):
            if entities:
                yield f"    {kind}:"
                yield from (f"      {_flow(name)}: {_flow(facts)}" for name, facts in entities.items())
        if not draft.queues and not draft.topics:
            yield f"    queues: {{jobs: {{}}}} {CHANGE}the queues that your services use"


def _services(draft: Draft, folder: Path) -> Iterator[str]:
    if not draft.services:
        yield "# services:"
        yield "#   api: {run: [python, -m, my_project.api], ready: {http: /health}}"
        return
    yield "services:"
    for service in draft.services.values():
        yield f"  {_flow(service.name)}:"
        note = "" if service.run else f" {CHANGE}the command that starts it"
        yield f"    run: {_flow(service.run or ['python', '-m', 'my_project'])}{note}"
        if service.cwd is not None:
            yield f"    cwd: {_flow(_relative(service.cwd, folder))}"
        if service.replicas > 1:
            yield f"    replicas: {service.replicas}"
        if service.ready:
            yield f"    ready: {_flow({'http': service.ready})}"
        if service.depends_on:
            yield f"    depends_on: {_flow(service.depends_on)}"
        yield from _env(service)


def _env(service: DraftService) -> Iterator[str]:
    if service.env or service.unknown:
        yield "    env:"
    yield from (f"      {name}: {_flow(value)}" for name, value in service.env.items())
    yield from (
        f"      {name}: change-me {CHANGE}{name} is read in {place}, and no file says what it is"
        for name, place in service.unknown.items()
    )


def _cases(draft: Draft) -> Iterator[str]:
    yield "cases:"
    yield "  everything_starts:"
    yield "    steps:"
    web = [service for service in draft.services.values() if service.ready]
    steps = 0
    for service in web:
        yield f"      - name: {service.name} answers"
        yield f"        http: {_flow({'get': service.ready, 'on': service.name})}"
        yield "        expect: {status: 200}"
        steps += 1
    for service in draft.services.values():
        for queue in service.consumes:
            yield f"      - name: {service.name} receives from {queue}"
            yield f"        queue: {_flow(queue)}"
            yield "        eventually: 20s"
            yield "        expect: {receivers: {$len: {$gte: 1}}}"
            steps += 1
    if not steps:
        yield f"      - wait: 2s {CHANGE}look at what yours does: http, messages, db, blob, logs"
    if draft.requests and web:
        api = web[0].name
        yield f"  {_flow('it_answers_as_promised')}:"
        yield "    steps:"
        for path, status in draft.requests[:_MOST_REQUESTS]:
            yield f"      - http: {_flow({'get': path, 'on': api})}"
            yield f"        expect: {{status: {status}}}"
    yield from _example(draft)
    yield "always: [no_dead_letters, no_error_logs, no_service_exit, no_stuck_messages]"


def _example(draft: Draft) -> Iterator[str]:
    queue = next((name for service in draft.services.values() for name in service.consumes), None)
    if queue is None or "/" in queue:
        return
    yield f"  # one_message_is_done: # fill in a message as yours are; then {queue} is watched until it is done with"
    yield "  #   steps:"
    yield f"  #     - send: {{queue: {_flow(queue)}, message_id: first, json: {{id: first}}}}"
    yield "  #     - settle: {at_least: 1}"
    yield f"  #     - messages: {{queue: {_flow(queue)}, where: {{message_id: first}}}}"
    yield "  #       expect: {count: 1, each: {outcome: completed, deliveries: 1}}"


def _relative(path: Path | None, folder: Path) -> str:
    return "" if path is None else os.path.relpath(path, folder)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(str(key))}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
