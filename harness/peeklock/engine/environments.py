"""From a scenario to the environment that it runs on: names, secrets, the services' commands and variables."""

from __future__ import annotations

import functools
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from peeklock.connection_strings import parts_of
from peeklock.engine.functions import Functions
from peeklock.scenario.model import Case, Scenario, walk
from peeklock.scenario.values import Scope, is_template, references, resolve
from peeklock.stack.backend import Endpoints, EnvironmentSpec, Ports, Variables
from peeklock.stack.faults import KINDS, RELAYED
from peeklock.stack.names.names import Names
from peeklock.stack.servers.wanted import WantedServers
from peeklock.standins import Surroundings
from peeklock.supervision.commands import Commands

_KINDS = ("postgres", "blobs", "servicebus")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def environment_spec(scenario: Scenario, cache: Path) -> EnvironmentSpec:
    """Return what the environment of a file is made of."""
    header = scenario.header

    def scope(service: str, endpoints: Endpoints, ports: Ports) -> Scope:
        return _service_scope(scenario, cache, service, endpoints, ports)

    def variables(endpoints: Endpoints, ports: Ports) -> dict[str, dict[str, str]]:
        return {
            name: {key: env_text(resolve(value, scope(name, endpoints, ports))) for key, value in service.env.items()}
            for name, service in header.services.items()
        }

    def command(service: str, endpoints: Endpoints, ports: Ports) -> list[str]:
        return [
            env_text(resolve(part, scope(service, endpoints, ports))) for part in header.services[service].run or ()
        ]

    def surroundings(
        endpoints: Endpoints, ports: Ports, commands: Commands, log_dir: Path, names: Callable[[], Names | None]
    ) -> Surroundings:
        looked_up = scope("", endpoints, ports)
        return Surroundings(
            lambda value, /, **names: resolve(value, replace(looked_up, names={**looked_up.names, **names})),
            scenario.place,
            scenario.path.parent,
            Functions(commands, scenario.root, log_dir / "answers.log", names),
            time.time,
        )

    definition = {key: scenario.document.data.get(key) for key in ("stack", "services")}
    definition["names"] = _names_of(scenario)
    definition["folder"] = str(scenario.path.parent)
    definition["private"] = private = needs_private_stack(scenario)
    definition["clock"] = movable = moves_clock(scenario)
    definition["relayed"] = relayed = needs_relay(scenario)
    definition["lasting"] = lasting = scenario.ends_dependencies()
    definition["answers"] = _places_of_answers(scenario)
    key = hashlib.sha256(json.dumps(definition, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return EnvironmentSpec(
        scenario.path.stem,
        header.stack,
        header.services,
        scenario.root,
        variables,
        command,
        surroundings,
        key,
        movable_clock=movable,
        relayed=relayed,
        lasting=lasting,
        private=private,
    )


def _service_scope(scenario: Scenario, cache: Path, service: str, endpoints: Endpoints, ports: Ports) -> Scope:
    """Return the names as a service's `run` and `env` see them."""
    endpoints = replace(endpoints, postgres_url=endpoints.service_postgres_urls.get(service, endpoints.postgres_url))
    names = engine_names(scenario, endpoints, ports, cache)
    own = {"name": service, "port": next(iter(ports.get(service, ())), None)}
    names |= file_variables(scenario, names) | {"service": own}
    identity = endpoints.service_connection_strings.get(service, endpoints.servicebus_connection_string)
    names["servicebus"] = {**names["servicebus"], "connection_string": identity}
    names["openai"] = {**names["openai"], "key": endpoints.openai_keys.get(service)}
    names["http"] = http_names(endpoints, service)
    return Scope(names, scenario.path.parent)


def case_variables(scenario: Scenario, case: Case, facts: Mapping[str, Any], cache: Path) -> Variables | None:
    """Return what services are told in one case besides; None when that is nothing. `facts` is the case, as `${case}` has it."""
    if not case.header.services:
        return None

    def variables(endpoints: Endpoints, ports: Ports) -> dict[str, dict[str, str]]:
        found = {}
        for name, service in case.header.services.items():
            scope = _service_scope(scenario, cache, name, endpoints, ports)
            names = {**scope.names, "case": facts}
            for key, raw in {**case.row, **case.header.vars}.items():
                names[key] = resolve(raw, replace(scope, names=names))
            own = replace(scope, names=names)
            found[name] = {key: env_text(resolve(value, own)) for key, value in service.env.items()}
        return found

    return variables


def _names_of(scenario: Scenario) -> dict[str, Any]:
    """Return what services and stand-ins refer to of a file's own names, directly or through each other: `vars` and `secrets` as
    they are written, and what `scenario` tells."""
    header, stack = scenario.header, scenario.document.data.get("stack") or {}
    answers = (answer for each in header.stack.http.values() for route in each.routes for answer in route.answers)
    templates = [answer.template.read_text("utf-8", "replace") for answer in answers if answer.template is not None]
    known = {**header.vars, **header.secrets, "scenario": [header.scenario, scenario.path.name]}
    found: dict[str, Any] = {}
    referring = [scenario.document.data.get("services"), stack.get("openai"), stack.get("http"), templates]
    while referring:
        roots = {reference.root for _, reference in references(referring.pop())}
        new = {name: raw for name, raw in known.items() if name in roots and name not in found}
        found |= new
        referring += new.values()
    return found


def _places_of_answers(scenario: Scenario) -> list[str]:
    """Return where everything stands that a stand-in answers by: its errors tell the place.

    Files that extend the same base have the same places, and hand their stand-ins on.
    """
    stack = scenario.document.data.get("stack") or {}
    paths: list[tuple[str | int, ...]] = [("stack", part) for part in ("openai", "http") if part in stack]
    places = []
    while paths:
        path = paths.pop()
        places.append(scenario.place(path))
        value = functools.reduce(lambda within, key: within[key], path, scenario.document.data)
        if isinstance(value, (dict, list)):
            keys: Iterable[str | int] = value if isinstance(value, dict) else range(len(value))
            paths += [(*path, key) for key in keys]
    return places


def moves_clock(scenario: Scenario) -> bool:
    """Tell whether any case of a file may move the clock."""
    return any(scenario.moves_clock(case) for case in scenario.cases)


def needs_relay(scenario: Scenario) -> bool:
    """Tell whether a file has faults or points that strike between its services and what they reach, or wants transactions seen."""
    if scenario.header.stack.postgres is not None and scenario.header.stack.postgres.transactions:
        return True
    kinds = {kind for kind, fault in KINDS.items() if fault.layer in RELAYED}
    for case in scenario.cases:
        named = [*scenario.header.vars.values(), *case.header.vars.values(), *case.row.values()]
        for step in walk((*scenario.background, *case.steps, *scenario.finally_)):
            if step.verb.name == "fault" and _strikes_between(step.arguments, kinds):
                return True
            if step.verb.name in ("crash", "pause") and _is_at_commit(step.arguments.get("at"), named):
                return True
    return False


def _is_at_commit(at: Any, named: Sequence[Any]) -> bool:
    """Tell it of the moment of a point; one that is looked up may be any of what is `named`."""
    if is_template(at):
        return any(_is_at_commit(each, ()) for each in named)
    return isinstance(at, Mapping) and not {"commit", "committed"}.isdisjoint(at)


def _strikes_between(arguments: Mapping[str, Any], kinds: set[str]) -> bool:
    """Tell it of a fault; one whose kind is looked up later may be any."""
    kind = arguments.get("kind")
    return (isinstance(kind, str) and kind in kinds) or is_template(kind) or not kinds.isdisjoint(arguments)


def needs_private_stack(scenario: Scenario) -> bool:
    """Tell whether cases of a file do to their dependencies what no other file may feel."""
    return moves_clock(scenario) or scenario.ends_dependencies()


def engine_names(scenario: Scenario, endpoints: Endpoints, ports: Ports, cache: Path) -> dict[str, Any]:
    """Return the names that the engine defines, but `case`."""
    facts = parts_of(endpoints.blobs_connection_string or "")
    return {
        "scenario": {"name": scenario.header.scenario, "file": scenario.path.name},
        "project": {"root": str(scenario.root), "cache": str(cache)},
        "services": {name: _places(found) for name, found in ports.items() if found},
        "postgres": _postgres_names(endpoints.postgres_url),
        "blobs": {
            "connection_string": endpoints.blobs_connection_string,
            "account": facts.get("AccountName"),
            "key": facts.get("AccountKey"),
            "https_url": endpoints.blobs_https_url,
            "url": facts.get("BlobEndpoint"),
            "containers": dict(endpoints.containers),
        },
        "servicebus": {
            "connection_string": endpoints.servicebus_connection_string,
            "url": parts_of(endpoints.servicebus_connection_string or "")
            .get("Endpoint", "")
            .replace("sb://", "http://"),
            "rules": dict(endpoints.access_rules),
            "queues": dict(endpoints.queues),
        },
        "openai": {"endpoint": endpoints.openai_url, "key": endpoints.openai_keys.get("")},
        "http": http_names(endpoints, ""),
        "identities": {name: dict(facts) for name, facts in endpoints.identities.items()},
    }


def http_names(endpoints: Endpoints, service: str) -> dict[str, Any]:
    """Return the names of HTTP stand-ins, as a service knows them, or (with an empty name) the test."""
    return {
        name: {
            "url": url,
            "https_url": endpoints.http_tls_urls.get(name),
            "key": endpoints.http_keys.get(name, {}).get(service),
        }
        for name, url in endpoints.http_urls.items()
    }


def _postgres_names(url: str | None) -> dict[str, Any]:
    parts = urlsplit(url or "")
    return {
        "url": url,
        "host": parts.hostname,
        "port": parts.port,
        "user": unquote(parts.username or "") or None,
        "password": unquote(parts.password or "") or None,
        "database": parts.path.lstrip("/") or None,
    }


def _places(ports: Sequence[int]) -> dict[str, Any]:
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    return {"url": urls[0], "port": ports[0], "urls": urls}


def file_variables(scenario: Scenario, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file's `vars` and `secrets`, each looked up with those written before it.

    `uuid()` here is the same in every run and file of a project on this machine, so that a service that goes on running
    still has the token that a later case sends.
    """
    found: dict[str, Any] = {}
    for section in (scenario.header.vars, scenario.header.secrets):
        for key, raw in section.items():
            stable = functools.partial(_stable_uuid, scenario.root, key)
            found[key] = resolve(raw, Scope({**names, **found}, scenario.path.parent, uuid=stable))
    return found


def _stable_uuid(root: Path, name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_machine()}|{root}|{name}"))


@functools.cache
def _machine() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(uuid.getnode())


def needed_kinds(scenarios: Iterable[Scenario]) -> list[str]:
    """Return which dependencies any of the files needs of the shared stack, so that they can start at once."""
    stacks = [
        scenario.header.stack
        for scenario in scenarios
        if not needs_private_stack(scenario) and not WantedServers.of(scenario.header.stack)
    ]
    wanted = {kind for stack in stacks for kind in _KINDS if getattr(stack, kind) is not None}
    return [kind for kind in _KINDS if kind in wanted]


def secrets_of(endpoints: Endpoints) -> set[str]:
    """Return the keys and passwords inside connection strings."""
    strings = [
        endpoints.blobs_connection_string,
        endpoints.servicebus_connection_string,
        *endpoints.access_rules.values(),
        *endpoints.service_connection_strings.values(),
    ]
    facts = [parts_of(string or "") for string in strings]
    keys = {fact[key] for fact in facts for key in ("AccountKey", "SharedAccessKey") if key in fact}
    password = urlsplit(endpoints.postgres_url or "").password
    keys |= {key for of in (endpoints.openai_keys, *endpoints.http_keys.values()) for key in of.values()}
    return keys | ({password} if password else set())


def env_text(value: Any) -> str:
    """Return a value as an environment variable or an argument of a command."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
