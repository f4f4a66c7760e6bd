"""Checks that every `${name}` has been defined by the time it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from peeklock.scenario.document import DataPath, Document, written_at
from peeklock.scenario.errors import Problem, Span, suggestion
from peeklock.scenario.http_standins import HttpStandIn, path_pattern
from peeklock.scenario.load_step import OWN_NAMES
from peeklock.scenario.model import FragmentHeader, Scenario, Step
from peeklock.scenario.standins import http_request_keys
from peeklock.scenario.values import Reference, ValueInvalid, is_template, references

ENGINE_NAMES: Mapping[str, tuple[str, ...]] = {
    "case": ("id", "name"),
    "scenario": ("name", "file"),
    "project": ("root", "cache"),
    "postgres": ("url", "host", "port", "user", "password", "database"),
    "blobs": ("connection_string", "account", "key", "url", "https_url", "containers"),
    "servicebus": ("connection_string", "url", "rules", "queues"),
    "openai": ("endpoint", "key"),
    "http": (),
    "request": (),
    "identities": (),
    "services": (),
    "service": ("name", "port"),
}
"""Names that the engine defines, and their parts; `service` for a service's own `run` and `env`, `request` for the answers of an
HTTP stand-in, the others for every step."""
ALWAYS_DEFINED = frozenset(ENGINE_NAMES) - {"service", "request"}
_OF_EACH = {
    "http": ("url", "https_url", "key"),
    "services": ("url", "port", "urls"),
    "identities": ("client_id", "object_id"),
}
"""What `http.NAME`, `services.NAME` and `identities.NAME` have."""


def check_scenario(scenario: Scenario) -> list[Problem]:
    """Return a problem for each name that nobody defined, and each function whose file is missing."""
    header, document, data = scenario.header, scenario.document, scenario.document.data
    rules = header.stack.servicebus.access_rules if header.stack.servicebus else {}
    absent = {} if header.stack.has_blob_door else {"blobs.https_url": "give `stack.blobs` a `name`"}
    keyless = (name for name, each in header.stack.http.items() if each.kind is None)
    absent |= {f"http.{name}.key": "only a stand-in of kind: azure_ml has one" for name in keyless}
    absent |= {
        f"http.{name}.https_url": "say `tls: true`"
        for name, each in header.stack.http.items()
        if not each.tls and not each.host
    }
    declared = {
        "http": frozenset(header.stack.http),
        "services": frozenset(header.services),
        "servicebus.rules": frozenset(rules),
        "servicebus.queues": frozenset(header.stack.servicebus.queues if header.stack.servicebus else ()),
        "blobs.containers": frozenset(header.stack.blobs.containers if header.stack.blobs else ()),
        "identities": frozenset(header.stack.identities),
    }
    walk = _Walk(declared, absent)
    in_steps, walk.remedy = walk.remedy, "add it to `vars`"
    given = {*ALWAYS_DEFINED, *header.vars, *header.secrets}
    walk.own |= {*header.vars, *header.secrets}
    for section in ("vars", "secrets", "defaults"):
        walk.value(document, (section,), data.get(section, {}), given)
    for name in header.services:
        if isinstance(written := data.get("services"), dict):
            walk.value(document, ("services", name), written.get(name), {*given, "service"})
    if isinstance(data.get("stack"), dict):
        walk.value(document, ("stack", "openai"), data["stack"].get("openai"), given - {"case"})
        for name, standin in header.stack.http.items():
            _answers(walk, declared, document, ("stack", "http", name, "routes"), standin, given - {"case"})
    walk.remedy = in_steps
    for case in scenario.cases:
        defined = {*given, *case.row, *case.header.vars}
        walk.own |= {*case.row, *case.header.vars}
        walk.value(document, (*case.path, "vars"), case.header.vars, defined)
        for name, service in case.header.services.items():
            walk.value(document, (*case.path, "services", name, "env"), dict(service.env), {*defined, "service"})
        for step in (*scenario.background, *case.steps, *scenario.finally_):
            walk.step(step, defined)
    return walk.problems


def _answers(
    walk: _Walk, declared: Mapping[str, frozenset[str]], document: Document, path: DataPath, standin: HttpStandIn,
    given: set[str],
) -> None:  # fmt: skip
    """Check the names in the routes of an HTTP stand-in; its answers may use the request."""
    written = written_at(document, path)
    if not isinstance(written, list) or len(written) != len(standin.routes):
        return  # one of them is wrong and was left out
    known = frozenset(http_request_keys(standin))
    for index, route in enumerate(standin.routes):
        parameters = frozenset(path_pattern(route.path).parameters)
        inside = _Walk({**declared, "request": known, "request.parameters": parameters})
        inside.own |= walk.own - {"request"}
        inside.folder = document.path.parent
        inside.remedy = "add it to `vars`, or take it from the request, as in ${request.body.id}"
        inside.value(document, (*path, index, "when"), route.when, given)
        for key in ("state", "respond", "sequence"):
            inside.value(document, (*path, index, key), written[index].get(key), given | {"request"})
        for answer in route.answers:
            if answer.template is not None:
                inside.template(answer.template, given | {"request"})
        walk.problems += inside.problems


def _near_name(name: str, defined: Iterable[str]) -> str:
    """Return what a name that is not defined was meant to be: one like it, or a part of one, as `port` of a service."""
    owners = [
        owner for owner in sorted(defined, key=lambda each: each != "service") if name in ENGINE_NAMES.get(owner, ())
    ]
    return f'did you mean "{owners[0]}.{name}"?' if owners else suggestion(name, defined)


def check_fragment(document: Document, header: FragmentHeader, steps: Iterable[Step]) -> list[Problem]:
    """Return the problems inside a fragment, which knows its inputs and what the engine defines."""
    walk = _Walk({})
    walk.own |= {*header.inputs}
    defined = {*ALWAYS_DEFINED, *header.inputs}
    for step in steps:
        walk.step(step, defined)
    return walk.problems + [
        document.problem(("outputs", index), f'no step defines the output "{name}"', fix=suggestion(name, defined))
        for index, name in enumerate(header.outputs)
        if name not in defined
    ]


class _Walk:
    """Goes through steps in the order in which they run; each adds to the names that are defined."""

    def __init__(
        self, declared: Mapping[str, frozenset[str]], absent: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`declared`: the parts of names whose parts are the file's own, by the path of the name. `absent`: names that this file
        does not have, and what would change that."""
        self.problems: list[Problem] = []
        self.own: set[str] = set()
        """What the file itself defines, whatever the engine has under such a name."""
        self._declared, self._absent = declared, absent
        self.remedy = "capture or set it in an earlier step"
        """For a name that is not defined and looks like no other."""
        self.folder: Path | None = None
        """Where the paths of `file()` start; None for the folder of each document."""

    def step(self, step: Step, defined: set[str]) -> None:
        raw = _raw(step)
        verb = step.verb.name
        if verb == "set":
            # one `set` may build on the names before it in the same mapping
            for name, value in (step.arguments if isinstance(step.arguments, dict) else {}).items():
                self.value(step.document, (*step.path, verb, name), value, defined)
                defined.add(name)
                self.own.add(name)
        elif verb == "use":
            self.value(step.document, (*step.path, "times"), raw.get("times"), defined)
            self.value(step.document, (*step.path, "with"), raw.get("with"), defined | _repeated(raw))
        elif verb == "load":
            self.load(step, raw[verb], defined)
        else:
            self.value(step.document, (*step.path, verb), raw[verb], defined | _repeated(step.arguments))
        for key in ("expect", "eventually", "name"):
            if key in raw:
                self.value(step.document, (*step.path, key), raw[key], defined)
        fresh = set(step.capture) | set(step.outputs) | set(step.verb.defines(step.arguments))
        defined |= fresh
        self.own |= fresh

    def load(self, step: Step, arguments: Any, defined: set[str]) -> None:
        said = arguments if isinstance(arguments, dict) else {}
        for key in said.keys() - {"acts"}:
            self.value(step.document, (*step.path, "load", key), said[key], defined)
        own, inside = set(self.own), {*defined, *OWN_NAMES}
        for act in step.steps:
            self.step(act, inside)
        self.own = own

    def value(self, document: Document, base: DataPath, value: Any, defined: set[str]) -> None:
        for path, text in _strings(value):
            try:
                for _, reference in references(text):
                    self._reference(document, (*base, *path), reference, defined)
            except ValueInvalid as error:
                self.problems.append(document.problem((*base, *path), error.problem, fix=error.fix))

    def template(self, file: Path, defined: set[str]) -> None:
        """Check the names in a file of text; each problem is told with its line in that file."""
        try:
            source = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):  # whoever is answered by it is told
            return
        for number, line in enumerate(source.splitlines(), 1):
            place = Document(file, source, line, {(): Span(number, 1, number, len(line) + 1)}, {})
            self.value(place, (), line, defined)

    def _reference(self, document: Document, path: DataPath, reference: Reference, defined: set[str]) -> None:
        if reference.function in ("file", "sha256") and not is_template(reference.argument):
            file = (self.folder or document.path.parent) / reference.argument
            if not file.is_file():
                self.problems.append(
                    document.problem(
                        path, f"no such file: {_near(file)}", fix="paths are relative to the file that names them"
                    )
                )
        elif reference.name and reference.root not in defined:
            self.problems.append(
                document.problem(
                    path,
                    f'"{reference.root}" is not defined here',
                    expected="one of " + ", ".join(sorted(defined)),
                    fix=_near_name(reference.root, defined) or self.remedy,
                )
            )
        elif reference.root in ENGINE_NAMES and reference.root not in self.own:
            self._part(document, path, reference)

    def _part(self, document: Document, path: DataPath, reference: Reference) -> None:
        """Check the parts of a name that the engine defines."""
        parts = reference.parts
        if (fix := self._absent.get(reference.name)) is not None:
            self.problems.append(document.problem(path, f'"{reference.name}" is not there', fix=fix))
            return
        known: Iterable[str] = ENGINE_NAMES[parts[0]]
        for depth, part in enumerate(parts[1:], 1):
            above = ".".join(parts[:depth])
            if above in self._declared:
                known = self._declared[above]
            elif depth == 2 and parts[0] in _OF_EACH:
                known = _OF_EACH[parts[0]]
            elif depth > 1 or parts[0] in _OF_EACH:
                return
            if part.startswith("["):  # known when it is looked up
                return
            if part not in known:
                expected = "one of " + ", ".join(sorted(known)) if known else "the file declares none"
                problem = document.problem(
                    path, f'"{above}" has no "{part}"', expected=expected, fix=suggestion(part, known)
                )
                self.problems.append(problem)
                return


def _repeated(arguments: Any) -> set[str]:
    """Return the names that what says `times` has besides: `index`, and `item` of a list, which `${…}` may be."""
    if not isinstance(arguments, dict) or "times" not in arguments:
        return set()
    return {"index"} if isinstance(arguments["times"], int) else {"index", "item"}


def _raw(step: Step) -> dict[str, Any]:
    value: Any = step.document.data
    for part in step.path:
        value = value[part]
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> Iterable[tuple[DataPath, str]]:
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, dict):
        for key, child in value.items():
            for path, text in _strings(child):
                yield (key, *path), text
    elif isinstance(value, list):
        for index, child in enumerate(value):
            for path, text in _strings(child):
                yield (index, *path), text


def _near(path: Path) -> str:
    resolved = path.resolve()
    return str(resolved.relative_to(Path.cwd())) if resolved.is_relative_to(Path.cwd()) else str(resolved)
