"""Reads a compose file: which of its services are the repository's own, and what they are told."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from ruamel.yaml.error import YAMLError

from peeklock.errors import PeeklockError
from peeklock.yaml_data import read_yaml

from .draft import Draft, DraftService
from .variables import TOLD, by_value, escaped

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_KINDS = (
    ("postgres", re.compile(r"postgres|postgis|pgvector|timescale")),
    ("blobs", re.compile(r"azurite")),
    ("servicebus", re.compile(r"servicebus-emulator")),
    ("sql", re.compile(r"azure-sql-edge|mssql")),
)
_CARRIED = {
    "build",
    "image",
    "command",
    "entrypoint",
    "environment",
    "env_file",
    "ports",
    "depends_on",
    "healthcheck",
    "deploy",
}
_MEANINGLESS = {
    "restart",
    "container_name",
    "networks",
    "expose",
    "hostname",
    "init",
    "tty",
    "stdin_open",
    "pull_policy",
    "platform",
}
"""What has no meaning for a process on this machine."""
_INTERPOLATED = re.compile(r"\$\$|\$\{(\w+)(?::?([-?+])([^}]*))?\}|\$(\w+)")


class ComposeInvalid(PeeklockError):
    """A compose file that cannot be read."""


def read_compose(path: Path, draft: Draft) -> None:
    """Add what a compose file tells to a draft. Raises `ComposeInvalid`."""
    services = _services(path)
    kinds = {name: kind for name, each in services.items() if (kind := _kind(each)) is not None}
    draft.parts |= {kind for kind in kinds.values() if kind != "sql"}
    for name, each in services.items():
        if kinds.get(name) == "servicebus":
            _find_config(path.parent, each, draft)
    own = {name: each for name, each in services.items() if "build" in each}
    for name, each in services.items():
        if name in own or name in kinds:
            continue
        image = str(each.get("image", "nothing"))
        draft.passed_over.append(
            f"{draft.near(path)}: {name} ({image}) is not started here; run it yourself, or add it to `services` as `image: {image}`"
        )
    interpolated = {key: value or "" for key, value in dotenv_values(path.parent / ".env").items()}
    hosts = {name: kind for name, kind in kinds.items() if kind != "sql"}
    for name, each in own.items():
        _add(name, each, path, draft, _Told(hosts, set(own), interpolated))


def _services(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = read_yaml(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError, OSError) as error:
        raise ComposeInvalid(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        raise ComposeInvalid(f"{path} is no compose file", expected="services: …")
    return {str(name): each for name, each in services.items() if isinstance(each, dict)}


def _kind(service: Mapping[str, Any]) -> str | None:
    image = str(service.get("image", ""))
    return next((kind for kind, pattern in _KINDS if pattern.search(image)), None)


def _find_config(folder: Path, service: Mapping[str, Any], draft: Draft) -> None:
    for volume in service.get("volumes") or ():
        source = str(volume.get("source", "")) if isinstance(volume, dict) else str(volume).split(":")[0]
        source = re.sub(r"^\$\{\w+:-([^}]*)\}", r"\1", source).strip("\"'")
        file = (folder / source).resolve()
        if source.endswith(".json") and file.is_file():
            draft.config = file


class _Told:
    """What the variables of a compose file are made of."""

    def __init__(self, hosts: Mapping[str, str], services: set[str], interpolated: Mapping[str, str]) -> None:
        self.hosts, self.services, self.interpolated = hosts, services, interpolated

    def text(self, value: Any) -> str:
        def one(match: re.Match[str]) -> str:
            if match.group() == "$$":
                return "$"
            name, sign, other = match[1] or match[4], match[2], match[3]
            known = self.interpolated.get(name)
            return known or (other if sign == "-" else "") or ""

        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else _INTERPOLATED.sub(one, str(value))


def _add(name: str, facts: Mapping[str, Any], path: Path, draft: Draft, told: _Told) -> None:
    build = facts["build"]
    context = (
        path.parent / ((build.get("context") or ".") if isinstance(build, dict) else str(build or "."))
    ).resolve()
    dockerfile = _dockerfile(
        context / (build.get("dockerfile") or "Dockerfile" if isinstance(build, dict) else "Dockerfile")
    )
    service = draft.services.setdefault(name, DraftService(name))
    service.cwd = None if context == draft.root else context
    ports = {
        str(port).rpartition(":")[2].partition("/")[0]
        for port in facts.get("ports") or ()
        if not isinstance(port, dict)
    }
    ports |= {str(port["target"]) for port in facts.get("ports") or () if isinstance(port, dict) and "target" in port}
    ports |= set(dockerfile.ports)
    command = _words(facts.get("command")) or dockerfile.command
    entrypoint = _words(facts.get("entrypoint")) or dockerfile.entrypoint
    service.run = _on_this_machine([*entrypoint, *command], ports, told)
    variables = {**dockerfile.env, **_environment(facts, path, told)}
    for variable, value in variables.items():
        if variable == "PORT" or (value in ports and variable.endswith("PORT")):
            given: Any = "${service.port}"
        elif (meant := by_value(variable, value, told.hosts, told.services)) is not None:
            given = meant[0]
            draft.parts |= {meant[1]} - {""}
        else:
            given = escaped(value)
            if any(re.search(rf"(?<![\w-]){re.escape(host)}:\d+", value) for host in (*told.hosts, *told.services)):
                draft.to_change.append(f"{name}: {variable} names a host of the compose network: {value}")
        if TOLD.get(variable) != given:
            service.env[variable] = given
    depends = facts.get("depends_on") or ()
    service.depends_on = [other for other in depends if other in told.services]
    service.ready = _health(facts.get("healthcheck"))
    replicas = (facts.get("deploy") or {}).get("replicas", 1) if isinstance(facts.get("deploy"), dict) else 1
    service.replicas = replicas if isinstance(replicas, int) else 1
    left = sorted({str(key) for key in facts} - _CARRIED - _MEANINGLESS)
    if left:
        draft.passed_over.append(f"{draft.near(path)}: {name}: {', '.join(left)}")
    if not service.run:
        draft.to_change.append(
            f"{name}: neither {draft.near(path)} nor a Dockerfile says how it is started: write `run`"
        )


def _environment(facts: Mapping[str, Any], path: Path, told: _Told) -> dict[str, str]:
    found: dict[str, str] = {}
    files = facts.get("env_file") or ()
    for each in [files] if isinstance(files, str | dict) else files:
        file = path.parent / str(each.get("path") if isinstance(each, dict) else each)
        if file.is_file():
            found |= {key: value or "" for key, value in dotenv_values(file).items()}
    given = facts.get("environment") or {}
    pairs = given.items() if isinstance(given, dict) else (str(each).partition("=")[::2] for each in given)
    return found | {str(key): told.text(value) for key, value in pairs}


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        try:
            return shlex.split(value)
        except ValueError:
            return []
    return [str(each) for each in value] if isinstance(value, list) else []


def _health(check: Any) -> str:
    found = (
        re.search(r"https?://[\w.-]+(?::\d+)?(/[^\s\"']*)", json.dumps(check.get("test", "")))
        if isinstance(check, dict)
        else None
    )
    return found[1].rstrip("\\") if found else ""


class _Dockerfile:
    def __init__(self) -> None:
        self.command: list[str] = []
        self.entrypoint: list[str] = []
        self.env: dict[str, str] = {}
        self.ports: list[str] = []


def _dockerfile(path: Path) -> _Dockerfile:
    """Return what the last stage of a Dockerfile says of how its image is started; nothing where there is none."""
    found = _Dockerfile()
    if not path.is_file():
        return found
    text = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8", errors="replace"))
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        match word.upper():
            case "FROM":
                found = _Dockerfile()
            case "CMD":
                found.command = _instruction(rest)
            case "ENTRYPOINT":
                found.entrypoint = _instruction(rest)
            case "EXPOSE":
                found.ports += [port.partition("/")[0] for port in rest.split()]
            case "ENV":
                pairs = _words(rest)
                if pairs and "=" not in pairs[0]:
                    pairs = [f"{pairs[0]}={' '.join(pairs[1:])}"]
                kept = (pair.partition("=")[::2] for pair in pairs)
                found.env |= {key: value for key, value in kept if not key.startswith(("PYTHON", "PIP_", "PATH"))}
    return found


def _instruction(text: str) -> list[str]:
    if text.strip().startswith("["):
        try:
            return [str(each) for each in json.loads(text)]
        except ValueError:
            return []
    return _words(text)


def _on_this_machine(words: list[str], ports: set[str], told: _Told) -> list[str]:
    """Return a container's command as one of this machine: on loopback, on the port that it is given, without a shell around it."""
    if len(words) == 3 and words[0] in ("sh", "/bin/sh", "bash", "/bin/bash") and words[1] in ("-c", "-lc"):
        last = re.split(r"\s*&&\s*", words[2])[-1].removeprefix("exec ")
        words = _words(last)
    run: list[str] = []
    for word in words:
        plain = re.sub(r"\$\{?PORT(:-\d+)?\}?", "${service.port}", word)
        if plain == word:
            plain = escaped(told.text(word))
        if plain == "--reload":
            continue
        plain = plain.replace("0.0.0.0", "127.0.0.1")
        for port in ports:
            plain = re.sub(rf"(?<![\d.]){port}(?!\d)", "${service.port}", plain)
        run.append(plain)
    return run
