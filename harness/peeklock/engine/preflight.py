"""The pre-flight check of a scenario file: what its services are told, and what can be seen of them, before a message is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from peeklock import preflight
from peeklock.engine.environments import environment_spec
from peeklock.engine.failure import Failure
from peeklock.engine.ledger import consumer_of
from peeklock.engine.waiting import Deadline, Signal
from peeklock.errors import PeeklockError
from peeklock.preflight import clock, consumers, contracts, readiness, scaling
from peeklock.preflight.expected import Expected, Schema
from peeklock.preflight.facts import Clock, FoundDatabase
from peeklock.preflight.findings import Finding, Report, Unchecked, merged
from peeklock.preflight.places import read, words
from peeklock.preflight.reach.contracts import copies
from peeklock.preflight.readiness import Answer
from peeklock.preflight.roles import Grants
from peeklock.preflight.sameness import Reached
from peeklock.preflight.settings import Setting
from peeklock.redaction import Redactor
from peeklock.scenario.errors import shorten
from peeklock.scenario.identities import identity_of
from peeklock.scenario.model import Scenario
from peeklock.scenario.topology import Stack as StackSpec
from peeklock.stack.backend import Environment, EnvironmentSpec, Stack

Changes = Mapping[str, Mapping[str, str]]
"""Variables by service, as if it was told them besides."""
_PATIENCE = 5.0
"""Seconds that a service has to say whether it is ready, and to ask its queues for messages."""
_READY = "/ready"
"""Where services tell most, whatever the file waits for."""


class PreflightFailed(PeeklockError):
    """The pre-flight check has found a fault: no case of the file is run."""

    def __init__(self, report: Report) -> None:
        super().__init__("the pre-flight check has found:\n" + report.text())
        self.report = report


def of_file(scenario: Scenario, stack: Stack, cache: Path) -> tuple[Report, float]:
    """Bring up what a file stands on, look, and bring up its services only when nothing is wrong so far.

    Returns also when the first look began, as `time.monotonic`. Raises `StackError`.
    """
    reports: list[Report] = []
    began = time.monotonic()

    def before(environment: Environment) -> None:
        nonlocal began
        began = time.monotonic()
        reports.append(look(scenario, environment, running=False))
        _refuse(reports[-1])

    spec = replace(_spec(scenario, stack, cache), before_services=before)
    try:
        environment = stack.environment(spec)
    except PreflightFailed as failed:
        return failed.report, began
    except PeeklockError as error:
        if not reports:
            raise  # it is the stack that failed
        return merged([*reports, Report((_not_started(error),))]), began
    try:
        return look(scenario, environment), began
    finally:
        environment.close()


def of_deployment(
    scenario: Scenario, settings: Sequence[Setting], stack: Stack, cache: Path, seconds: float
) -> tuple[Report, float]:
    """Look at a deployment that `settings` describe, and hold it to what a file declares: entities, containers, the schema that
    the migrations make (in a database of the stack). Returns as `of_file` does."""
    schema = None
    postgres = scenario.header.stack.postgres
    if postgres is not None and postgres.migrations is not None:
        spec = _spec(scenario, stack, cache)
        only = StackSpec(postgres=postgres)
        environment = stack.environment(
            replace(
                spec,
                stack=only,
                services={},
                surroundings=None,
                key="",
                relayed=False,
                lasting=False,
                private=False,
                movable_clock=False,
            )
        )
        try:
            made = preflight.look_at_database(environment.endpoints.postgres_url or "", seconds)
        finally:
            environment.close()
        if isinstance(made, FoundDatabase):
            schema = Schema(shorten(postgres.migrations), made.tables, made.revisions)
    began = time.monotonic()
    return preflight.check(settings, preflight.expected_of(scenario, schema), seconds), began


def _spec(scenario: Scenario, stack: Stack, cache: Path) -> EnvironmentSpec:
    spec = environment_spec(scenario, cache)
    return replace(spec, movable_clock=spec.movable_clock and "clock" in stack.abilities)


def guarded(scenario: Scenario, spec: EnvironmentSpec) -> EnvironmentSpec:
    """Return the spec of a file that says `preflight`: its services start only when nothing is wrong so far."""
    return replace(spec, before_services=lambda environment: _refuse(look(scenario, environment, running=False)))


def require(scenario: Scenario, environment: Environment) -> None:
    """Raise `PreflightFailed` when anything is wrong, now that the services run."""
    _refuse(look(scenario, environment))


def failure_of(scenario: Scenario, report: Report) -> Failure:
    """Return why no case of a file was run: each fault, and that no message was sent."""
    span = scenario.document.key_span(("preflight",))
    owner = scenario.document.owner(("preflight",))
    count = len(report.findings)
    return Failure(
        f"{count} fault{'s' if count > 1 else ''} found before the first case; no case of the file was run",
        "the pre-flight check",
        f"{shorten(owner.path, scenario.root)}:{span.line}:{span.column}",
        notes=tuple(line for each in report.findings for line in ("", *each.text().splitlines())),
    )


def _refuse(report: Report) -> None:
    if report.findings:
        raise PreflightFailed(report)


def _not_started(error: PeeklockError) -> Finding:
    return Finding("not-started", error.problem, error.where, error.expected, error.actual, error.fix)


def look(
    scenario: Scenario, environment: Environment, *, running: bool = True, changes: Changes | None = None
) -> Report:
    """Return what is wrong. Without `running`, services are not asked; with `changes` they are judged by these variables, too."""
    settings = list(_settings(scenario, environment, changes or {}))
    expected = preflight.expected_of(scenario)
    grants = _grants(scenario, environment, settings)
    offset = (environment.clock.now().timestamp() if environment.clock.movable else time.time()) - time.time()
    # first, since a service that is asked whether it is ready connects to what it stands on
    answers, clocks = _ask(scenario, environment) if running else ([], [])
    seen = list(_databases(scenario, environment)) if running else []
    reports = [
        preflight.check(settings, expected, offset=offset, seen=seen, grants=grants),
        contracts.judge(copies(scenario, settings)),
        scaling.judge(scenario, _roles_of(environment)),
    ]
    if running:
        reports += [
            readiness.judge(answers),
            clock.judge(clocks, offset),
            _consumers(expected, environment),
            Report(unchecked=tuple(_unseen(environment, seen))),
        ]
    return merged(reports).redacted(Redactor(read(settings).hidden()))


def _unseen(environment: Environment, seen: Iterable[Reached]) -> Iterator[Unchecked]:
    if environment.endpoints.postgres_url is not None:
        known = {each.service for each in seen}
        for name in sorted(_running(environment) - known):
            because = "it has no connection open that bears its name (PGAPPNAME)"
            yield Unchecked(f"whether {name} is connected to the database that it is told", because)


def _settings(scenario: Scenario, environment: Environment, changes: Changes) -> Iterator[Setting]:
    if (url := environment.endpoints.postgres_url) is not None:
        yield Setting("the file", "stack.postgres", url, scenario.place(("stack", "postgres")))
    for name, service in scenario.header.services.items():
        changed = changes.get(name, {})
        for variable, value in {**environment.services.variables(name), **changed}.items():
            if variable in changed:
                where = "`env` of the step"
            elif variable in service.env:
                where = scenario.place(("services", name, "env", variable))
            else:
                where = f"{scenario.place(('services', name))}, told by the stack"
            if value:
                yield Setting(name, variable, _led(value, environment), f"{where} ({variable})")


def _led(value: str, environment: Environment) -> str:
    """Return an address as it leads here: nobody but this machine is asked."""
    for name, port in environment.seen.names.ports.items() if environment.seen.names is not None else ():
        if f"sb://{name}" in value.lower():
            parts = [part for part in value.split(";") if part and not part.lower().startswith("endpoint=")]
            return ";".join([f"Endpoint=sb://127.0.0.1:{port}", *parts, "UseDevelopmentEmulator=true"])
        if name.endswith(".blob.core.windows.net") and f"AccountName={name.partition('.')[0]};" in f"{value};":
            return f"https://{name}"
    return value


def _grants(scenario: Scenario, environment: Environment, settings: Iterable[Setting]) -> Grants | None:
    stack = scenario.header.stack
    if environment.identities is None:
        return None
    every = list(settings)
    identities = {
        name: has.of
        for name, service in scenario.header.services.items()
        if (has := identity_of(name, service, stack)) is not None
    }
    return Grants(
        identities,
        {name: list(_roles(environment, name)) for name in stack.identities},
        {name: _parts(scenario, [each for each in every if each.service == name]) for name in identities},
        {name: scenario.place(("stack", "identities", name)) for name in stack.identities},
    )


def _parts(scenario: Scenario, settings: list[Setting]) -> list[str]:
    """Return what of the stack a service talks to as its identity: what its variables name, and have no key for."""
    led, found = scenario.header.stack.production_names, read(settings)
    parts = {led[each.address] for each in found.by_identity() if each.address in led}
    hosts = {(urlsplit(each.value).hostname or "").lower() for each in settings if "://" in each.value}
    parts |= {led[host] for host in hosts if led.get(host) not in (None, "servicebus", "blobs", "login")}
    if any(
        {"KEY", "API"} <= {*words(each.variable)} and {"AI", "OPENAI"} & {*words(each.variable)} for each in settings
    ):
        parts.discard("openai")
    return ["azure_ml" if part in (scenario.header.stack.azure_ml or ()) else part for part in sorted(parts)]


def _roles(environment: Environment, identity: str) -> Iterator[tuple[str, str]]:
    assert environment.identities is not None
    for each in environment.identities.roles(identity):
        yield each["role"], each.get("on", "")


def _roles_of(environment: Environment) -> Callable[[str], Iterable[tuple[str, str]]] | None:
    return None if environment.identities is None else partial(_roles, environment)


def _databases(scenario: Scenario, environment: Environment) -> Iterator[Reached]:
    for each in environment.services.databases():
        where = scenario.place(("services", each.service))
        yield Reached(each.service, "its open connection", where, each.identity, each.database)


def _ask(scenario: Scenario, environment: Environment) -> tuple[list[Answer], list[tuple[str, str, Clock]]]:
    """Return what services answer where they tell whether they are ready, and what their clocks show."""
    asked = [
        (name, path)
        for name, service in scenario.header.services.items()
        if service.ready is not None and service.ready.http is not None and environment.services.running(name)
        for path in dict.fromkeys([service.ready.http, _READY])
    ]
    if not asked:
        return [], []
    with httpx.Client(timeout=_PATIENCE, trust_env=False) as client, ThreadPoolExecutor(len(asked)) as pool:
        found = list(pool.map(lambda each: _answer(client, environment.services.url(each[0]), each[1]), asked))
    answers, clocks = [], []
    for (name, path), (status, body, shown) in zip(asked, found, strict=True):
        ready, place = scenario.header.services[name].ready, scenario.place(("services", name))
        if path == _READY and ready is not None and ready.http != _READY and status in (0, 401, 403, 404, 405):
            continue  # it has no such page
        answers.append(Answer(name, path, place, status, body))
        if shown is not None:
            clocks.append((f"the service {name}", place, shown))
    return answers, clocks


def _answer(client: httpx.Client, url: str, path: str) -> tuple[int, Any, Clock | None]:
    before = time.time()
    try:
        response = client.get(url + path)
    except httpx.HTTPError:
        return 0, None, None
    after, date = time.time(), response.headers.get("date")
    try:
        body = response.json()
    except ValueError:
        body = None
    if date is None:
        return response.status_code, body, None
    shown = parsedate_to_datetime(date).timestamp() + 0.5  # whole seconds, and some servers make it once a second
    return response.status_code, body, Clock(shown, (before + after) / 2, 1.5 + (after - before) / 2)


def _consumers(expected: Expected, environment: Environment) -> Report:
    running = _running(environment)
    wanted = {entity: [name for name in services if name in running] for entity, services in expected.consumers.items()}
    return consumers.judge(expected, _listening(environment, wanted), running)


def _listening(environment: Environment, wanted: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return who has asked for messages, by entity; links may be on their way when a service says that it is ready."""
    signal, deadline = Signal(), Deadline(_PATIENCE)
    end = environment.on_change(signal.wake)
    try:
        while True:
            seen = signal.count
            found = {each["name"]: {*map(consumer_of, each.get("consumers", ()))} for each in environment.queues()}
            missing = any({*services} - found.get(entity, set()) for entity, services in wanted.items())
            if not missing or deadline.passed:
                return found
            signal.wait(seen, min(0.1, deadline.left))
    finally:
        end()


def _running(environment: Environment) -> set[str]:
    return {name for name in environment.services.names() if environment.services.running(name)}
