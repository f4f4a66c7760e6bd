"""Writes the emulator's faults into the pages that list them, from their classes: `python docs/reference/faults.py`. A test
holds the pages to the code."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from peeklock.servicebus.gateway.faults import KINDS, Fault
from peeklock.standins.openai import KINDS as OPENAI

DOCS = Path(__file__).parents[1]
_REGION = re.compile(r"(<!-- faults:[^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Return the pages as they shall be."""
    tables = {
        DOCS / "servicebus.md": _settings_table(),
        DOCS / "scenarios.md": _words_table(),
        DOCS / "openai.md": _openai_table(),
    }
    return {path: _with_table(path.read_text(encoding="utf-8"), table) for path, table in tables.items()}


def _with_table(text: str, lines: Iterator[str]) -> str:
    return _REGION.sub(lambda match: match[1] + "".join(f"{line}\n" for line in lines) + match[2], text)


def _settings_table() -> Iterator[str]:
    yield "| `fault` | settings besides `entity` (none: the whole namespace) | what happens |"
    yield "|---|---|---|"
    for name, kind in sorted(KINDS.items()):
        yield f"| `{name}` | {', '.join(_setting(kind, field) for field in _own(kind))} | {kind.summary} |"


def _words_table() -> Iterator[str]:
    yield "| kind, on `servicebus` | does |"
    yield "|---|---|"
    for name, kind in sorted(KINDS.items()):
        settings = ", ".join(["queue", *(field.name for field in _own(kind) if field.name != "times")])
        yield f"| `{name}: {{{settings}}}` | {kind.summary}{'; `times`' if kind.counted else ''} |"


def _openai_table() -> Iterator[str]:
    yield "| kind, on `openai` | does |"
    yield "|---|---|"
    for name, kind in OPENAI.items():
        settings = ", ".join(
            [*(field.name for field in dataclasses.fields(kind) if field.name != "deployment"), "deployment"]
        )
        yield f"| `{name}: {{{settings}}}` | {kind.summary}; `times`, `for` |"


def _own(kind: type[Fault]) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(kind) if field.name != "entity"]


def _setting(kind: type[Fault], field: dataclasses.Field[Any]) -> str:
    hint = get_type_hints(kind)[field.name]
    choices = [c for part in (hint, *get_args(hint)) if get_origin(part) is Literal for c in get_args(part)]
    if field.name == "times":
        return "`times` (1; null: until cleared)"
    shown = [f"`{choice}`" for choice in choices] or ([f"`{field.default}`"] if field.default and kind.kind else [])
    return f"`{field.name}`" + (f" ({', '.join(shown)})" if shown and field.name != "description" else "")


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
