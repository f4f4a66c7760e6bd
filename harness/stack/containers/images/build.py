"""Hand a recipe to a Docker engine. What it is given is complete: nothing is fetched, and nothing in the build has a network."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.stack.cache import cache_dir, locked
from harness.stack.containers.images.layer import Layer
from harness.stack.containers.images.recipes import Kind, Recipe, recipe
from harness.stack.errors import StackError
from harness.stack.progress import Progress, silent

_NO_BASE = "scratch"


@dataclass(frozen=True, slots=True)
class Image:
    """An image at the engine."""

    reference: str
    id: str
    size: int
    """In bytes, all layers together."""
    built: bool
    """Now, rather than before."""


def build(kind: Kind, *, base: str = _NO_BASE, progress: Progress = silent) -> Image:
    """The image that this version of Peeklock wants, built when the engine does not have it; also tagged `latest`.

    `base`: an image to build on, which the engine must have or be able to pull. Raises `StackError`.
    """
    made = recipe(kind)
    name = made.reference if base == _NO_BASE else f"{made.reference}-{_tag(base)}"
    client = engine()
    import docker

    try:
        found = _inspect(client, name)
        if found is None:
            with locked(cache_dir() / "images" / "lock"):
                found = _inspect(client, name)
                if found is None:
                    progress(f"building {name}")
                    _build(client, made, name, base)
        facts = _inspect(client, name) or {}
        client.tag(name, f"peeklock/{kind}", "latest")
        return Image(name, facts["Id"], facts["Size"], built=found is None)
    except docker.errors.APIError as error:
        raise _refused(name, str(error.explanation or error), []) from error
    finally:
        client.close()


def write_context(kind: Kind, path: Path) -> None:
    """Write what a `docker build - < path` needs: the Dockerfile and everything it names, in one tar file."""
    with locked(cache_dir() / "images" / "lock"):
        _write_context(recipe(kind), path)


def engine() -> Any:
    """A client of the engine that answers. Raises `StackError` when there is none."""
    try:
        import docker
    except ModuleNotFoundError:
        raise StackError.missing_tool(
            "the Python package docker",
            "building images",
            ["the packages of this Python"],
            "pip install 'peeklock[containers]'",
        ) from None
    try:
        client = docker.APIClient(version="auto", timeout=300)
    except docker.errors.DockerException as error:
        raise StackError.missing_tool(
            "a Docker engine", "building images", [str(error)], "make docker, or start the engine of this machine"
        ) from error
    return client


def _build(client: Any, made: Recipe, name: str, base: str) -> None:
    context = cache_dir() / "images" / "context.tar"
    try:
        _write_context(made, context)
        with context.open("rb") as file:
            _run(client, name, file, made.kind, base)
    except OSError as error:
        raise StackError.unwritable(error.filename or context, error) from error
    finally:
        context.unlink(missing_ok=True)


def _run(client: Any, name: str, context: IO[bytes], kind: Kind, base: str) -> None:
    said: list[str] = []
    answer: Iterator[dict[str, Any]] = client.build(
        fileobj=context, custom_context=True, tag=name, decode=True, rm=True, forcerm=True, network_mode="none",
        buildargs={"BASE": base}, labels={"peeklock.image": kind},
    )  # fmt: skip
    for part in answer:
        said += str(part.get("stream", "")).splitlines()
        if "error" in part:
            raise _refused(name, str(part["error"]), [line for line in said if line.strip()][-12:])


def _refused(name: str, reason: str, log: Sequence[str]) -> StackError:
    if "no space left" in reason.lower():
        return StackError.full_disk(f"building {name}")
    return StackError.setup_failed(f"building {name}", [*log, reason], "the engine's last line says why")


def _write_context(made: Recipe, path: Path) -> None:
    work = _workplace()
    below: list[Path] = []
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as context:
        for source in sorted(made.folder.iterdir()):
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
        raise StackError.unwritable(work, error) from error
    return work


def _inspect(client: Any, name: str) -> dict[str, Any] | None:
    import docker

    try:
        facts: dict[str, Any] = client.inspect_image(name)
    except docker.errors.ImageNotFound:
        return None
    return facts


def _tag(base: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in base)
