"""Configuration: the official emulator's Config.json, or Peeklock's own format with many namespaces, in JSON or YAML."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from peeklock.servicebus.settings import TopologyError
from peeklock.servicebus.topology import Topology
from peeklock.yaml_data import read_yaml

from .official import DEFAULT_NAMESPACE, read_official
from .reader import Warn
from .text import parse_json, read_text


def load_namespaces(
    source: str, *, port: int, origin: str | None = None, warn: Warn = warnings.warn
) -> dict[str, Topology]:
    """Return the namespaces by name that a configuration describes: `source` is a path, or JSON itself.

    The first namespace gets `port` unless it names one, the others a free one. Raises `TopologyError` with the file, the
    path inside it, what was expected, what was found and how to fix it; `warn` gets a sentence for each thing that is passed
    over.
    """
    inline = source.lstrip().startswith(("{", "//", "/*"))
    where = origin or ("inline configuration" if inline else source)
    text = source if inline else read_text(source)
    document = _parse(text, where, warn)
    if not isinstance(document, dict):
        raise _wrong(where, "$", "an object", type(document).__name__)
    if "UserConfig" in document:
        name, topology = read_official(document, where, port=port, warn=warn)
        return {name: topology}
    if "namespaces" not in document:
        return {DEFAULT_NAMESPACE: _topology(document, where, "$", port)}
    others = [key for key in document if key != "namespaces"]
    if others:
        raise _wrong(where, str(others[0]), "nothing beside 'namespaces'", repr(others[0]))
    namespaces = document["namespaces"]
    if not isinstance(namespaces, dict) or not namespaces:
        raise _wrong(where, "namespaces", "an object with a namespace by its name", repr(namespaces))
    found: dict[str, Topology] = {}
    for name, body in namespaces.items():
        found[str(name)] = _topology(body, where, f"namespaces.{name}", 0 if found else port)
    _check_ports(found, where)
    return found


def _topology(body: Any, origin: str, where: str, port: int) -> Topology:
    try:
        topology = Topology.from_json({} if body is None else body)
    except TopologyError as error:
        raise TopologyError(f"{origin}: {where}: {error.problem}", error.fix) from None
    given = isinstance(body, dict) and "port" in body
    return topology if given else replace(topology, port=port)


def _check_ports(namespaces: dict[str, Topology], origin: str) -> None:
    seen: dict[int, str] = {}
    for name, topology in namespaces.items():
        if topology.port and topology.port in seen:
            actual = f"{topology.port}, as namespaces.{seen[topology.port]}"
            raise _wrong(origin, f"namespaces.{name}.port", "a port of its own, 0 for a free one", actual)
        seen[topology.port] = name


def _parse(text: str, origin: str, warn: Warn) -> Any:
    if text.lstrip().startswith(("{", "[", "//", "/*")):
        return parse_json(text, origin, warn)
    from ruamel.yaml.error import YAMLError

    try:
        return read_yaml(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{origin}:{mark.line + 1}:{mark.column + 1}" if mark is not None else origin
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise TopologyError(f"{place}: is neither JSON nor YAML: {problem}", "check the indentation there") from None


def _wrong(origin: str, where: str, expected: str, actual: str) -> TopologyError:
    shapes = "write {'namespaces': {'mine': {'queues': {...}, 'topics': {...}}}}, or the official Config.json"
    return TopologyError(f"{origin}: {where}\n  expected: {expected}\n  actual: {actual}", shapes)
