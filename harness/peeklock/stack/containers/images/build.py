"""Hand a recipe to a Docker engine. What it is given is complete: nothing is fetched, and nothing in the build has a network."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

from peeklock.stack.containers.discovery import find_engine
from peeklock.stack.containers.engine import Engine, EngineError
from peeklock.stack.containers.errors import engine_refused
from peeklock.stack.containers.images.layer import Layer
from peeklock.stack.containers.images.recipes import KINDS, Kind, Recipe, in_a_clone, recipe
from peeklock.stack.errors import StackError, full_disk, setup_failed, unwritable
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.cache import cache_dir, locked

_NO_BASE = "scratch"
_HUB = "docker.io/"  # podman tells names in full
_PATIENCE = 600.0  # seconds without a word from a build


@dataclass(frozen=True, slots=True)
class Image:
    """An image at the engine."""

    reference: str
    id: str
    size: int
    """In bytes, all layers together."""
    built: bool
    """Now, rather than before."""


def build(kind: Kind, *, base: str = _NO_BASE, major: int | None = None, progress: Progress = silent) -> Image:
    """The image that this version of Peeklock wants, built when the engine does not have it; also tagged `latest`.

    `base`: an image to build on, which the engine must have or be able to pull; the tag then names it, and `latest` stays.
    `major`: of Postgres another version than the usual one, if its binaries are here. Raises `StackError`.
    """
    made = recipe(kind, major)
    name = made.reference if base == _NO_BASE else f"{made.reference}-{_tag(base)}"
    engine = find_engine()
    try:
        was_there = engine.has_image(name)
        if not was_there:
            with locked(cache_dir() / "images" / "lock"):
                was_there = engine.has_image(name)  # built by another while this one waited
                if not was_there:
                    progress(f"building {name}")
                    _build(engine, made, name, base)
        facts = engine.request("GET", f"/images/{name}/json")
        if base == _NO_BASE and major is None:
            engine.request("POST", f"/images/{name}/tag", {"repo": f"peeklock/{kind}", "tag": "latest"})
    except EngineError as error:
        raise _refused(name, error.text, []) from error
    return Image(name, facts["Id"], facts["Size"], built=not was_there)


def prune() -> list[str]:
    """Remove the images of other versions of Peeklock from the engine, but those that a container uses; their names. Raises `StackError`."""
    engine = find_engine()
    wanted = {recipe(kind).reference for kind in KINDS if kind != "services" or in_a_clone()}
    removed = []
    try:
        ours = engine.request("GET", "/images/json", {"filters": json.dumps({"label": ["peeklock.image"]})})
        names = {name.removeprefix(_HUB) for image in ours for name in image.get("RepoTags") or ()}
        for name in sorted(names - wanted):
            # What somebody has made of ours, or named otherwise, is theirs.
            if name.startswith("peeklock/") and not name.endswith(":latest"):
                try:
                    engine.request("DELETE", f"/images/{name}")
                    removed.append(name)
                except EngineError as error:
                    if error.status not in (404, 409):  # gone already, or in use
                        raise
    except EngineError as error:
        raise engine_refused(engine, "remove images", error) from error
    return removed


def write_context(kind: Kind, path: Path) -> None:
    """Write what a `docker build - < path` needs: the Dockerfile and everything it names, in one tar file."""
    with locked(cache_dir() / "images" / "lock"):
        _write_context(recipe(kind), path)


def _build(engine: Engine, made: Recipe, name: str, base: str) -> None:
    context = cache_dir() / "images" / "context.tar"
    try:
        _write_context(made, context)
        with context.open("rb") as file:
            _run(engine, name, file, made.kind, base)
    except OSError as error:
        raise unwritable(error.filename or context, error) from error
    finally:
        context.unlink(missing_ok=True)


def _run(engine: Engine, name: str, context: IO[bytes], kind: Kind, base: str) -> None:
    query = {
        "t": name, "rm": 1, "forcerm": 1, "networkmode": "none", "buildargs": json.dumps({"BASE": base}),
        "labels": json.dumps({"peeklock.image": kind}),
    }  # fmt: skip
    size = str(os.fstat(context.fileno()).st_size)
    connection = engine.open(_PATIENCE)
    said: list[str] = []
    try:
        connection.request(
            "POST", f"/build?{urlencode(query)}", context, {"Content-Type": "application/x-tar", "Content-Length": size}
        )
        answer = connection.getresponse()
        if answer.status != 200:
            raise _refused(name, answer.read().decode("utf-8", "replace"), said)
        for line in answer:  # one JSON object each, as the build goes on
            part = json.loads(line)
            said += str(part.get("stream", "")).splitlines()
            if "error" in part:
                raise _refused(name, str(part["error"]), [text for text in said if text.strip()][-12:])
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(0, f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()


def _refused(name: str, reason: str, log: Sequence[str]) -> StackError:
    if "no space left" in reason.lower():
        return full_disk(f"building {name}")
    return setup_failed(f"building {name}", [*log, reason], "the engine's last line says why")


def _write_context(made: Recipe, path: Path) -> None:
    work = _workplace()
    below: list[Path] = []
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as context:
        for source in made.files():
            context.add(source, source.name, filter=_plain)
        for name, text in made.texts.items():
            (work / name).write_text(text)
            context.add(work / name, name, filter=_plain)
        for name, fill in made.layers.items():
            with Layer(work / name) as layer:
                fill(layer, below)
            below += layer.sources
            context.add(work / name, name, filter=_plain)
            (work / name).unlink()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    # Whoever built it and when must not change what the engine takes for the same layer.
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    entry.mtime = 0
    return entry


def _workplace() -> Path:
    """An empty folder for this build, or the one of a build that was killed, emptied. Only under the lock."""
    work = cache_dir() / "images" / "work"
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    except OSError as error:
        raise unwritable(work, error) from error
    return work


def _tag(base: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in base)
