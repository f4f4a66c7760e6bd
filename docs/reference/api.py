"""Makes `api.md`, the reference of what users import: `python docs/reference/api.py`. A test holds the page to the code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peeklock import pytest_plugin

PAGE = Path(__file__).with_name("api.md")
PACKAGES = ("peeklock", "peeklock.servicebus", "peeklock.standins.http")
FIXTURES = ("peeklock_servicebus", "peeklock_servicebus_factory", "peeklock_stack")
EXAMPLE = """\
from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, Topology

topology = Topology(queues={"jobs": Queue(max_delivery_count=3)})
with Emulator(topology) as emulator, Client(emulator.connection_string()) as client:
    client.send("jobs", [OutgoingMessage(body=b"hello")])
    (message,) = client.receive("jobs")
    client.complete(message)
"""


def page() -> str:
    """Return the page."""
    head = [
        "# What you can import",
        "",
        "Made from the code by `make fix`. What is not on this page is private and may change.",
        "",
        "```python",
        *EXAMPLE.splitlines(),
        "```",
    ]
    return "\n".join([*head, *(line for name in PACKAGES for line in _package(name)), *_fixtures()]) + "\n"


def _fixtures() -> Iterator[str]:
    yield from (
        "",
        "## pytest fixtures",
        "",
        'They are there wherever Peeklock is installed. `pytest_plugins = ["peeklock.pytest_plugin.short_names"]` in the',
        "topmost `conftest.py` adds them without their prefix.",
        "",
    )
    for name in FIXTURES:
        yield f"- `{name}`: {_first(getattr(pytest_plugin, name).__doc__)}"


def _package(name: str) -> Iterator[str]:
    module = importlib.import_module(name)
    yield from ("", f"## `{name}`", "", _first(inspect.getdoc(module)))
    for public in sorted(module.__all__, key=str.lower):
        if public.startswith("__"):
            continue
        yield from ("", f"### `{public}`", "")
        yield from _thing(public, getattr(module, public))


def _thing(name: str, thing: Any) -> Iterator[str]:
    yield from ("```python", f"{name}{_signature(thing)}", "```", "")
    yield from _wrapped(inspect.getdoc(thing))
    members = [(member, value) for member, value in sorted(vars(thing).items()) if not member.startswith("_")]
    listed = [line for member, value in members for line in _member(member, value)]
    if listed:
        yield from ("", *listed)


def _member(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, property):
        yield f"- `{name}`: {_first(inspect.getdoc(value))}"
    elif isinstance(value, classmethod | staticmethod) or inspect.isfunction(value):
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        yield f"- `{name}{_signature(function)}`: {_first(inspect.getdoc(function))}"


def _signature(thing: Any) -> str:
    try:
        found = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    kept = [
        parameter.replace(annotation=_Bare(parameter.annotation))
        for name, parameter in found.parameters.items()
        if name not in ("self", "cls")
    ]
    text = str(found.replace(parameters=kept, return_annotation=_Bare(found.return_annotation)))
    return re.sub(r"<[^>]*>", "…", text).replace(" -> None", "")


class _Bare:
    """An annotation that is shown as it is written."""

    def __init__(self, annotation: Any) -> None:
        self._text = "" if annotation is inspect.Parameter.empty else str(annotation)

    def __repr__(self) -> str:
        return self._text


def _first(text: str | None) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((text or "").split("\n\n")[0].split())


def _wrapped(text: str | None) -> Iterator[str]:
    for paragraph in (text or "").split("\n\n"):
        yield from (paragraph.strip().splitlines() or [""])
        yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
