"""Which image stands for one that a file names: that one, where the engine has it or can pull it, else one of ours."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import docker
import docker.errors
import requests.exceptions

from peeklock.stack.containers.engine import Engine, EngineError
from peeklock.stack.containers.errors import engine_refused
from peeklock.stack.containers.images.build import build
from peeklock.stack.containers.images.recipes import reference
from peeklock.stack.errors import StackError
from peeklock.stack.progress import Progress, silent

_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """An image that the engine has."""

    reference: str
    ours: bool
    """It is one of Peeklock's, which takes what ours take."""
    why: str
    """For people."""


def postgres_image(engine: Engine, image: str, major: int | None, progress: Progress = silent) -> Chosen:
    """Return what runs for `image`, or for a version of which no image is named.

    Raises `StackError` where neither it nor Postgres of that version can be had.
    """
    if not image:
        return _version(engine, major, progress)
    reason = _missing(engine.address, image, progress)
    if not reason:
        return Chosen(image, False, "as named")
    if major is None:
        raise _cannot(image, reason, f"say `version` beside it, or see that {engine} has it or reaches its registry")
    try:
        ours = build("postgres", major=major, progress=progress)
    except StackError as error:
        raise _cannot(image, f"{reason}; {error.problem}", error.fix) from error
    return Chosen(ours.reference, True, f"{reason}: ours of version {major} stands for it")


def _version(engine: Engine, major: int | None, progress: Progress) -> Chosen:
    """Ours, where the binaries are here: nobody has named an image, and no registry need be asked."""
    try:
        return Chosen(build("postgres", major=major, progress=progress).reference, True, f"version {major}, made here")
    except StackError as error:
        reason = _missing(engine.address, f"postgres:{major}", progress)
        if reason:
            raise _cannot(f"postgres:{major}", f"{reason}; {error.problem}", error.fix) from error
        return Chosen(f"postgres:{major}", False, f"no Postgres {major} is installed here to make an image of")


def azurite_image(engine: Engine, image: str, progress: Progress = silent) -> Chosen:
    """Return what runs for an image of Azurite; ours, where it cannot be had."""
    reason = _missing(engine.address, image, progress)
    if not reason:
        return Chosen(image, False, "as named")
    if "azurite" not in image:
        raise _cannot(image, reason, f"`docker load` it, or see that {engine} reaches its registry")
    return Chosen(reference("azurite"), True, f"{reason}: ours stands for it")


_asked: dict[tuple[str, str], str] = {}
_asking = threading.Lock()


def _missing(address: str, image: str, progress: Progress) -> str:
    """Say why an image is not at the engine; empty when it is, now that it was pulled. Asked once in a process: a registry that
    cannot be reached takes its time to say so."""
    with _asking:
        if (address, image) not in _asked:
            _asked[address, image] = _pulled(address, image, progress)
        return _asked[address, image]


def _pulled(address: str, image: str, progress: Progress) -> str:
    engine = Engine(address)
    try:
        if engine.has_image(image):
            return ""
    except EngineError as error:
        raise engine_refused(engine, "look for an image", error) from error
    progress(f"pulling {image}")
    client = docker.DockerClient(base_url=address, timeout=_PATIENCE)
    try:
        client.images.pull(image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest")
    except docker.errors.APIError as error:
        return f"{image} cannot be pulled ({str(error.explanation or error).splitlines()[0]})"
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        return f"{image} cannot be pulled ({type(error).__name__})"
    finally:
        client.close()
    return ""


def _cannot(image: str, reason: str, fix: str) -> StackError:
    return StackError(f"the image {image} cannot be had", actual=reason, fix=fix)
