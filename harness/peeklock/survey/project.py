"""Looks round a repository, or reads the files that its owner names."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from peeklock.errors import PeeklockError
from peeklock.servicebus.config import parse_config, read_text
from peeklock.servicebus.settings import TopologyError
from peeklock.yaml_data import read_yaml

from .azure_resources import read_arm
from .bicep import read_bicep
from .code import SKIPPED, App, apps, interpreter, variables
from .compose import NAMES, read_compose
from .draft import Draft, DraftService
from .terraform import read_terraform
from .variables import TOLD, by_name

_DEPTH = 4
_OUTWARD = re.compile(r"OUT|RESULT|REPLY|RESPONSE|SEND|TARGET|DEST|NOTIF")
_CONTAINER = re.compile(
    r"""(?:get_container_client|getContainerClient)\(\s*["']([a-z0-9-]{3,63})["']|get_blob_client\(\s*(?:container\s*=\s*)?["']([a-z0-9-]{3,63})["']"""
)
_SENDER = re.compile(r"""(?:get_queue_sender|createSender)\(\s*(?:queue_name\s*=\s*)?["']([\w./-]+)["']""")
_PARTS = (
    (re.compile(r"azure\.servicebus|@azure/service-bus"), "servicebus"),
    (re.compile(r"azure\.storage\.blob|@azure/storage-blob"), "blobs"),
    (
        re.compile(
            r"\bimport (psycopg2?|asyncpg)\b|\bfrom (psycopg2?|asyncpg)\b|sqlalchemy|require\(['\"]pg['\"]\)|from ['\"]pg['\"]"
        ),
        "postgres",
    ),
)


class SourceUnknown(PeeklockError):
    """A file of which nobody knows what it is."""


def survey(root: Path, sources: Sequence[Path] = ()) -> Draft:
    """Return what a repository runs and stands on: by `sources`, or by whatever it has. Raises `PeeklockError`."""
    draft = Draft(root)
    for path in [path.resolve() for path in sources] or list(_look_round(root)):
        if path not in draft.sources:
            draft.sources.append(path)
            _reader(path)(path, draft)
    if draft.config is not None:
        if draft.config not in draft.sources:
            draft.sources.append(draft.config)
        _take_config(draft.config, draft)
    found = apps(root)
    _match(found, draft)
    _find_migrations(draft)
    _find_names(found, draft)
    return draft


def _look_round(root: Path) -> Iterator[Path]:
    yield from [path for name in NAMES if (path := root / name).is_file()][:1]
    files = list(_files(root))
    configs = [path for path in files if path.suffix == ".json" and _has(path, '"UserConfig"')]
    yield from configs[:1]
    if not configs:
        templates = [path for path in files if path.suffix == ".bicep"]
        yield from sorted(templates, key=lambda path: path.name != "main.bicep")
        if not templates:
            yield from [path for path in files if path.suffix == ".json" and _has(path, "deploymentTemplate.json#")][:1]
            yield from [path for path in files if path.suffix == ".tf"]
    yield from [path for path in files if re.fullmatch(r"asyncapi\.(ya?ml|json)", path.name)][:1]
    yield from [path for path in files if re.fullmatch(r"(openapi|swagger)\.(ya?ml|json)", path.name)][:1]


def _files(root: Path) -> Iterator[Path]:
    for folder, names, leaves in os.walk(root):
        deep = len(Path(folder).relative_to(root).parts)
        names[:] = sorted(n for n in names if not n.startswith(".") and n not in SKIPPED - {"docs"} and deep < _DEPTH)
        yield from (Path(folder, leaf) for leaf in sorted(leaves))


def _has(path: Path, text: str) -> bool:
    return path.stat().st_size < 1 << 20 and text in path.read_text(encoding="utf-8", errors="replace")


def _reader(path: Path) -> Callable[[Path, Draft], None]:
    if not path.is_file():
        raise SourceUnknown(f"{path} is not there", fix="name a file of this repository")
    if path.suffix == ".bicep":
        return read_bicep
    if path.suffix == ".tf":
        return read_terraform
    if path.name in NAMES:
        return read_compose
    if path.suffix == ".json" and _has(path, '"UserConfig"'):
        return _config
    if path.suffix == ".json" and _has(path, "deploymentTemplate.json#"):
        return read_arm
    if path.suffix in (".yaml", ".yml", ".json"):
        top = _load(path)
        if "openapi" in top or "swagger" in top:
            return _openapi
        if "asyncapi" in top:
            return _asyncapi
        if "services" in top:
            return read_compose
    raise SourceUnknown(
        f"{path.name}: it is not known what this is",
        expected="a compose file, a Config.json of the official emulator, a Bicep or Terraform file, an ARM template, an OpenAPI or an AsyncAPI document",
        fix="name another file, or write what it says into the scenario by hand",
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = json.loads(text) if path.suffix == ".json" else read_yaml(text)
    except (YAMLError, ValueError, OSError) as error:
        raise SourceUnknown(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    return data if isinstance(data, dict) else {}


def _config(path: Path, draft: Draft) -> None:
    draft.config = path


def _take_config(path: Path, draft: Draft) -> None:
    draft.parts.add("servicebus")
    try:
        topology = parse_config(read_text(str(path)), draft.near(path), warn=draft.passed_over.append)
    except TopologyError as error:
        raise SourceUnknown(error.problem, fix=error.fix) from None
    draft.queues = {name: {} for name in topology.queues}
    draft.topics = {
        name: {"subscriptions": {own: {} for own in topic.subscriptions}} for name, topic in topology.topics.items()
    }


def _openapi(path: Path, draft: Draft) -> None:
    document = _load(path)
    draft.contract = path
    for route, methods in (document.get("paths") or {}).items():
        get = methods.get("get") if isinstance(methods, dict) else None
        if not isinstance(get, dict) or "{" in route or get.get("security", document.get("security")):
            continue
        needed = [
            each
            for each in (*(methods.get("parameters") or ()), *(get.get("parameters") or ()))
            if each.get("required")
        ]
        good = sorted(int(code) for code in map(str, get.get("responses") or {}) if re.fullmatch("2[0-9][0-9]", code))
        if not needed and good:
            draft.requests.append((route, good[0]))


def _asyncapi(path: Path, draft: Draft) -> None:
    """Take its channels for queues; which of them are topics it cannot say."""
    draft.parts.add("servicebus")
    for name, channel in (_load(path).get("channels") or {}).items():
        address = str(channel.get("address") or name) if isinstance(channel, dict) else str(name)
        if "{" in address:
            draft.passed_over.append(f"{draft.near(path)}: the channel {address}: its name is only known at run time")
        elif address not in draft.topics:
            draft.queues.setdefault(address, {})
    draft.passed_over.append(
        f"{draft.near(path)}: the schemas of messages; name a file of each as `schema` of its queue"
    )


def _match(found: list[App], draft: Draft) -> None:
    """Tell the services of a draft what their code says; where no file has named any, the code's applications are the services."""
    if draft.services:
        pairs = [(each, app) for each in draft.services.values() if (app := _app_of(each, found, draft)) is not None]
    else:
        pairs = [(_service(app, draft), app) for app in found]
    for service, app in pairs:
        service.run = [interpreter(draft.root, app.cwd, service.run[0]), *service.run[1:]] if service.run else app.run
        if app.web and not service.ready:
            service.ready = app.health
        _tell(service, app, draft)


def _app_of(service: DraftService, found: list[App], draft: Draft) -> App | None:
    near = [
        app
        for app in found
        if app.cwd == (service.cwd or draft.root) or app.cwd.is_relative_to(service.cwd or draft.root)
    ]
    said = " ".join(service.run)
    named = [app for app in near if (app.run[3] if app.framework else app.run[-1]) in said]
    return next(iter(named), near[0] if len(near) == 1 else None)


def _service(app: App, draft: Draft) -> DraftService:
    name = app.name
    while name in draft.services:
        name += "-2"
    service = DraftService(name, app.run, None if app.cwd == draft.root else app.cwd)
    draft.services[name] = service
    return service


def _tell(service: DraftService, app: App, draft: Draft) -> None:
    values: dict[str, str] = {}
    for read in variables(app, draft.root):
        if read.name in service.env:
            values[read.name] = str(service.env[read.name])
        elif read.name in TOLD:
            draft.parts |= {part for part in ("postgres", "blobs", "servicebus") if part in TOLD[read.name]}
        elif (meant := by_name(read.name, read.default)) is not None:
            service.env[read.name] = meant[0]
            draft.parts |= {meant[1]} - {""}
        elif read.default is not None:
            values[read.name] = read.default
        elif read.needed:
            service.unknown[read.name] = read.place
    if "PGHOST" in service.env:  # it need not be said where it is the usual one
        service.env.setdefault("PGPORT", "${postgres.port}")
    for pattern, part in _PARTS:
        if pattern.search(app.text):
            draft.parts.add(part)
    queues = {name: value for name, value in values.items() if "QUEUE" in name and re.fullmatch(r"[\w./-]+", value)}
    if draft.config is None:
        for value in queues.values():
            draft.queues.setdefault(value, {})
        for value in (*app.consumes, *_SENDER.findall(app.text)):
            topic, _, name = value.partition("/Subscriptions/")
            if name:
                draft.topics.setdefault(topic, {}).setdefault("subscriptions", {}).setdefault(name, {})
            elif value not in draft.topics:
                draft.queues.setdefault(value, {})
    inward = [value for name, value in queues.items() if not _OUTWARD.search(name)]
    if app.consumes or not app.web:
        service.consumes = app.consumes or (inward if len(inward) == 1 else [])
    for name in app.consumes:
        if name not in draft.receivable:
            draft.to_change.append(
                f"{service.name} receives from {name}, which {draft.near(draft.config) if draft.config else 'no file'} has not"
            )
    service.consumes = [name for name in service.consumes if name in draft.receivable]


def _find_migrations(draft: Draft) -> None:
    files = list(_files_of_migrations(draft.root))
    alembic = [path.parent for path in files if path.name == "alembic.ini"]
    scripts = [path.parent for path in files if path.suffix == ".sql"]
    if alembic or scripts:
        draft.migrations = (alembic or scripts)[0]
        draft.parts.add("postgres")
    if (draft.root / "prisma" / "schema.prisma").exists():
        draft.to_change.append(
            "prisma/schema.prisma: let the API run `prisma migrate deploy` at its start, or give plain SQL as `migrations`"
        )


def _files_of_migrations(root: Path) -> Iterator[Path]:
    for folder, names, leaves in os.walk(root):
        here = Path(folder)
        names[:] = sorted(
            n for n in names if not n.startswith(".") and n not in ("node_modules", "venv", "__pycache__")
        )
        names[:] = [] if len(here.relative_to(root).parts) >= _DEPTH else names
        telling = re.fullmatch(r"migrations?|db|sql|database|schema|initdb|init|sql-init", here.name) is not None
        yield from (
            here / leaf for leaf in sorted(leaves) if leaf == "alembic.ini" or (telling and leaf.endswith(".sql"))
        )


def _find_names(found: list[App], draft: Draft) -> None:
    makes = any(re.search(r"create_container|createIfNotExists|\.create\(\)", app.text) for app in found)
    if not makes and not draft.containers:
        names = [one or other for app in found for one, other in _CONTAINER.findall(app.text)]
        draft.containers = list(dict.fromkeys(names))
    if draft.containers:
        draft.parts.add("blobs")
    if "servicebus" in draft.parts and not draft.queues and not draft.topics:
        draft.to_change.append("no file tells which queues there are: write them below stack.servicebus.queues")
    if not draft.services:
        draft.to_change.append("no application was found: write how yours is started below services")
